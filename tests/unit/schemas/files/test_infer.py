from __future__ import annotations

from pathlib import Path

import pytest

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import Example, import_corpus
from schemas.files.infer import task_of
from schemas.types import Entity


def of(*labels: str) -> Example:
    return Example("-".join(labels) or "none", "What a day", (), categories=of_labels(labels))


LABELLED = Example("1", "Ada in Oslo", (Entity(0, 3, "PER", "Ada"), Entity(7, 11, "LOC", "Oslo")))


def test_the_task_has_the_labels_of_the_gold() -> None:
    task = task_of([LABELLED, of()], name="people")
    assert (task.label_names, task.kind, task.choose) == (("LOC", "PER"), "entities", None)


@pytest.mark.parametrize(
    ("examples", "choose"),
    [
        ([of("sad"), of("glad")], "one"),
        ([of("sad"), of("glad", "sad")], "any"),
        ([of("sad", "glad"), of()], "any"),
    ],
)
def test_exactly_one_is_chosen_where_each_text_has_exactly_one(
    examples: list[Example], choose: str
) -> None:
    task = task_of(examples, name="mood")
    assert (task.label_names, task.kind, task.choose) == (("glad", "sad"), "categories", choose)


def test_examples_without_labels_name_no_task() -> None:
    with pytest.raises(ConfigError, match="neither an entity nor a category"):
        task_of([of(), of()], name="nothing")


def test_examples_of_both_kinds_are_refused_by_id() -> None:
    with pytest.raises(ConfigError, match="1 has entities, others have categories"):
        task_of([of("sad"), LABELLED], name="both")


def test_isear_is_one_of_seven_feelings(data_dir: Path) -> None:
    found = import_corpus(data_dir / "isear" / "stream.jsonl")
    task = task_of(found.examples, name="isear")
    assert (found.report.kind, len(task.labels), task.choose) == ("categories", 7, "one")
    llama = import_corpus(data_dir / "llm_isear" / "llama-2-70b-chat.jsonl").examples
    assert all(one.llm_categories for one in llama)
