from __future__ import annotations

from dataclasses import replace

import pytest

from stream.lab.replay.result import (
    OverallResult,
    ReplayedRound,
    ReplayResult,
    StreamResult,
    TeacherResult,
)


@pytest.fixture
def result() -> ReplayResult:
    """A replay of two rounds: the first's student was promoted, the second's refused."""
    promoted = ReplayedRound(
        records=100,
        deferred=10,
        wanted=30,
        labels=9,
        labels_total=59,
        stream_f1=0.7,
        student="v2",
        student_f1=0.6,
        student_f1_interval=(0.55, 0.65),
        promoted=True,
        reason="promoted",
        serving="v1",
        distill_s=3.0,
    )
    return ReplayResult(
        records=200,
        lost=0,
        duplicated=0,
        uncorrected=0,
        dead_lettered=0,
        seed=7,
        routing="uncertainty",
        kind="entities",
        overall=OverallResult(records=250, calls=70, f1=0.75),
        teacher=TeacherResult(
            f1=1.0, calls=70, labels=68, refused=2, tokens_in=9000, tokens_out=700, bill_usd=0.005
        ),
        stream=StreamResult(
            f1=0.7,
            precision=0.8,
            recall=0.6,
            wanted_share=0.3,
            deferred_share=0.1,
            records_per_s=400.0,
            cpu_s_per_1000=2.0,
            student_alone={"f1": 0.65, "precision": 0.75, "recall": 0.55},
            teacher_alone={"f1": 1.0, "precision": 1.0, "recall": 1.0},
        ),
        students={"cold": {"f1": 0.5, "labels": 50}, "last": {"f1": 0.6}},
        rounds=(promoted, replace(promoted, promoted=False, reason="no gain", student="v3")),
        options={"order": "shuffled"},
        seconds=12.0,
    )
