"""What the tests of the promise's keeper share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schemas.files.bundle import read_bundle
from stream.retrain.promise_keeper import PromiseKeeper
from stream.student import Student
from stream.testing.bundles import write_bundle
from stream.testing.messages import POLICY, a_promotion
from stream.watch.metrics import Metrics
from tests.unit.stream.retrain.promise_logs import PROMISED, TASK, Lists


@pytest.fixture
def student(tmp_path: Path) -> Student:
    write_bundle(
        tmp_path,
        labels=("PER",),
        words={"ada": "B-PER"},
        version="v1",
        task=TASK.name,
        task_digest=TASK.digest,
    )
    return Student(read_bundle(tmp_path))


@pytest.fixture
def log(student: Student) -> Lists:
    policy = replace(POLICY, threshold=0.2)
    return Lists(
        a_promotion(
            task_digest=TASK.digest,
            digest=student.digest,
            policy=policy,
            metrics={"f1": 0.8, **PROMISED.metrics()},
        )
    )


@pytest.fixture
def keeper(log: Lists, student: Student) -> PromiseKeeper:
    return PromiseKeeper(
        task=TASK, log=log, load=lambda _: student, metrics=Metrics(), now_ms=lambda: 5000
    )
