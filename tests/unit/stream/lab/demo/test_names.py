from __future__ import annotations

import os
import subprocess
import sys

import pytest

# With this seed the late towns are Italian, which Faker keeps in a set.
_TELL = """
from stream.lab.demo.names import early_names, late_names
for make in (early_names, late_names):
    for kind, names in make("feed", seed=0).by_kind.items():
        print(kind, *names, sep="|")
"""


def told(*, hash_seed: str) -> str:
    """Say all names of the feed in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", _TELL],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def names() -> str:
    return told(hash_seed="1")


def test_every_process_makes_the_same_names_of_a_seed(names: str) -> None:
    assert told(hash_seed="2") == names


def test_there_are_names_of_all_kinds_before_and_after_the_drift(names: str) -> None:
    kinds = [line.split("|")[0] for line in names.splitlines()]
    assert kinds == ["person", "company", "city", "product"] * 2
