from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import ConfigError
from schemas.files.corpus import Example
from schemas.settings import Settings
from stream.lab.replay.options import ReplayOptions
from stream.lab.replay.plan import make_plan, ordered, shares
from stream.lab.replay.run_settings import audit_share


def examples(n: int) -> list[Example]:
    return [Example(id=str(i), text=f"text {i}", entities=()) for i in range(n)]


def dated(name: str, date: str) -> Example:
    return Example(id=name, text=name, entities=(), meta={"date": date})


def test_the_file_order_is_kept() -> None:
    assert ordered(examples(5), order="file", seed=3) == examples(5)


def test_shuffling_is_a_function_of_the_seed() -> None:
    first = ordered(examples(50), order="shuffled", seed=1)
    assert first == ordered(examples(50), order="shuffled", seed=1)
    assert first != ordered(examples(50), order="shuffled", seed=2)
    assert sorted(first, key=lambda e: int(e.id)) == examples(50)


def test_dates_are_compared_as_points_in_time() -> None:
    unsorted = [
        dated("c", "2014-05-02T10:00:00Z"),
        dated("a", "2014-05-01"),
        dated("b", "2014-05-02T11:00:00+02:00"),
    ]
    assert [e.id for e in ordered(unsorted, order="date", seed=0)] == ["a", "b", "c"]


@pytest.mark.parametrize("date", ["yesterday", "", "2014-13-01"])
def test_a_record_without_a_date_is_named(date: str) -> None:
    with pytest.raises(ConfigError, match="tweet-7"):
        ordered([dated("tweet-7", date)], order="date", seed=0)


def test_the_cold_start_leaves_the_stream() -> None:
    plan = make_plan(examples(20), order="file", seed=0, cold_start=6, rounds=3)
    assert [e.id for e in plan.cold] == ["0", "1", "2", "3", "4", "5"]
    assert plan.streamed == tuple(examples(20)[6:])
    assert len(plan.rounds) == 3


def test_the_cold_start_is_of_one_age_and_the_last_text_the_newest() -> None:
    stream = examples(8)
    plan = make_plan(stream, order="shuffled", seed=1, cold_start=4, rounds=2)
    assert plan.ages(plan.cold) == [0.5, 0.5, 0.5, 0.5]
    assert plan.ages(plan.streamed) == [0.375, 0.25, 0.125, 0.0]
    assert sorted(plan.ages(stream)) == [0.0, 0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.5]


@settings(max_examples=50)
@given(st.integers(0, 300), st.integers(1, 12))
def test_shares_are_contiguous_and_even(n: int, rounds: int) -> None:
    parts = list(shares(examples(n), rounds))
    assert [e for part in parts for e in part] == examples(n)
    assert len(parts) == rounds
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_stream_too_short_for_its_rounds_is_refused() -> None:
    with pytest.raises(ConfigError, match="too few"):
        make_plan(examples(10), order="file", seed=0, cold_start=8, rounds=3)


@pytest.fixture
def options(tmp_path: Path) -> dict[str, object]:
    for name in ("stream.jsonl", "test.jsonl"):
        (tmp_path / name).touch()
    return {"stream": (tmp_path / "stream.jsonl",), "held_out": tmp_path / "test.jsonl"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("budget", 1.5, "--budget"),
        ("rounds", 0, "--rounds"),
        ("cold_start", 0, "--cold-start"),
        ("routing", "luck", "--routing"),
        ("order", "alphabet", "--order"),
        ("teacher", "nobody.jsonl", "nobody.jsonl"),
        ("gold", Path("missing.jsonl"), "missing.jsonl"),
        ("stream", (), "--stream"),
    ],
)
def test_what_cannot_be_replayed_is_refused_by_name(
    options: dict[str, object], name: str, value: object, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        ReplayOptions(**{**options, name: value}).check()  # type: ignore[arg-type]  # wrong on purpose


def test_good_options_pass(options: dict[str, object]) -> None:
    assert ReplayOptions(**options).check().recorded_answers is None  # type: ignore[arg-type]  # see fixture


@pytest.mark.parametrize(
    ("gold", "share", "streamed", "expected"),
    [
        (True, "auto", 10_000, 0.02),
        (False, "auto", 1_000, 0.02),
        (False, 0.8, 1_000, 0.01),
        (False, 0.0, 100_000, 0.02),
        (False, 0.0, 12_000, 0.025),
        (False, 0.0, 6_000, 0.05),
        (False, 0.0, 1_000, 0.05),
    ],
)
def test_only_where_neither_gold_nor_questions_judge_more_is_audited(
    gold: bool,  # noqa: FBT001 - a parameter of the test
    share: float | str,
    streamed: int,
    expected: float,
) -> None:
    examples = tuple(Example(str(i), str(i), ()) for i in range(streamed))
    material: Any = SimpleNamespace(
        base=Settings.model_validate({"distill": {"judging": {"share": share}}}),
        options=SimpleNamespace(budget=0.1, gold=Path("gold.jsonl") if gold else None),
        plan=SimpleNamespace(rounds=(examples,)),
    )
    assert audit_share(material) == pytest.approx(expected)
