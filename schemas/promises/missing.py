"""What a promise rests on and what is missing to prove it: how many records, and when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from schemas.promises.keeping import next_proof
from schemas.promises.record import Promised


def evidence_facts(
    promised: Promised, audits_ms: Sequence[int], *, proving_ms: int, in_force_ms: int, now_ms: int
) -> dict[str, Any]:
    """Give `have` and `need`, of accepted records that were audited, and `eta_s`.

    What live audits are to prove takes those since `proving_ms` alone. Which of them are accepted
    is reckoned by the share that was; `need` is for the next look that can prove it, if all
    accepted ones agree. They come at the pace of the audits since `in_force_ms`. None where no
    number would do, or no pace is known, as of gold, which a promise about people takes.
    """
    proof = promised.proof
    if proof.state == "kept":
        return {"have": proof.audited, "need": 0, "eta_s": 0.0}
    if promised.against == "people":
        return {"have": proof.audited, "need": proof.need, "eta_s": None}
    share = proof.accepted_share or 1.0
    n = sum(at_ms >= proving_ms for at_ms in audits_ms)
    look = next_proof(promised, n)
    return {
        "have": int(n * share),
        "need": None if look is None else math.ceil((look - n) * share),
        "eta_s": _eta_s(look, n, _per_s(audits_ms, in_force_ms, now_ms)),
    }


def _per_s(audits_ms: Sequence[int], in_force_ms: int, now_ms: int) -> float:
    seconds = (now_ms - in_force_ms) / 1000
    return sum(at_ms >= in_force_ms for at_ms in audits_ms) / seconds if seconds > 0 else 0.0


def _eta_s(look: int | None, n: int, per_s: float) -> float | None:
    return (look - n) / per_s if look is not None and per_s else None
