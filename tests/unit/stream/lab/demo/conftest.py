from __future__ import annotations

import pytest

from stream.lab.demo.measure import F1
from stream.lab.demo.students import ScoredStudent
from stream.lab.demo.summary import Summary
from stream.lab.demo.trends import Drift


@pytest.fixture
def summary() -> Summary:
    """A demo whose first student was promoted and whose second was refused."""
    first = ScoredStudent(
        "v1", promoted=True, reason="first student", labels=150, f1=0.5, f1_early=0.8, f1_late=0.2
    )
    second = ScoredStudent(
        "v2", promoted=False, reason="no gain", labels=300, f1=0.5, f1_early=0.8, f1_late=0.2
    )
    return Summary(
        records=1000,
        lost=0,
        duplicated=0,
        uncorrected=0,
        deferred=120,
        deferred_share=0.12,
        wanted_share=0.3,
        calls=270,
        tokens_in=90_000,
        tokens_out=9_000,
        cost_usd=0.05,
        llm_every_time_usd=0.2,
        stream_f1=0.9,
        drift_at=500,
        drifts_noticed=(Drift(at=640, before=0.05, now=0.6),),
        window_records=100,
        wanted_share_by_window=(0.3, 0.1),
        deferred_share_by_window=(0.2, 0.1),
        students=(first, second),
        seed=7,
        seconds=300.0,
        measure=F1,
    )
