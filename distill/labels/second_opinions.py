"""What was said when somebody was asked again about doubted labels: paid for once, kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from distill.judging.questions import Truth
from schemas.types import text_digest


@dataclass(frozen=True, slots=True)
class SecondOpinions:
    """Opinions by who gave them on which task, and by the text's digest; None is a refusal."""

    of: Mapping[str, Mapping[str, Truth | None]] = field(default_factory=dict)

    def about(self, texts: Sequence[str], asker: str) -> dict[str, Truth]:
        """Give what is known of the texts, by text."""
        known = self.of.get(asker, {})
        found = {text: known.get(text_digest(text)) for text in texts}
        return {text: opinion for text, opinion in found.items() if opinion is not None}

    def unasked(self, texts: Sequence[str], asker: str) -> list[str]:
        """Give the texts of which nothing is known, not even a refusal."""
        known = self.of.get(asker, {})
        return [text for text in texts if text_digest(text) not in known]

    def with_answers(self, said: Mapping[str, Truth | None], asker: str) -> SecondOpinions:
        """Add what was said."""
        new = {text_digest(text): opinion for text, opinion in said.items()}
        return replace(self, of={**self.of, asker: {**self.of.get(asker, {}), **new}})

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, for JSON."""
        return {
            asker: {
                digest: None if opinion is None else sorted(map(list, opinion))
                for digest, opinion in opinions.items()
            }
            for asker, opinions in self.of.items()
        }


def opinions_in(values: Any) -> SecondOpinions:
    """Read what `as_dict` gave; nothing is known where it is none."""
    try:
        return SecondOpinions(
            {
                str(asker): {str(digest): _truth(opinion) for digest, opinion in opinions.items()}
                for asker, opinions in values.items()
            }
        )
    except (AttributeError, TypeError, ValueError):
        return SecondOpinions()


def _truth(opinion: Any) -> Truth | None:
    if opinion is None:
        return None
    return frozenset((int(start), int(end), str(label)) for start, end, label in opinion)
