"""What a call about several texts took, split among them: whole tokens that add up to the call."""

from __future__ import annotations

from collections.abc import Sequence

from stream.teacher.completions import Usage


def split_usage(usage: Usage, *, told: Sequence[int], said: Sequence[int]) -> list[Usage]:
    """Split tokens in by what was `told` of each text and tokens out by what was `said` of it.

    Both count characters, one of each text. What is told once for all, and what was said of none,
    falls on all alike.
    """
    ins, outs = (
        _split(usage.tokens_in, told),
        _split(usage.tokens_out, said if any(said) else [1] * len(said)),
    )
    return [Usage(*pair) for pair in zip(ins, outs, strict=True)]


def _split(total: int, weights: Sequence[int]) -> list[int]:
    """Split by weight; the borders between the parts are rounded, so that nothing gets lost."""
    whole, passed, parts = sum(weights), 0, []
    for weight in weights:
        before = total * passed // whole
        passed += weight
        parts.append(total * passed // whole - before)
    return parts
