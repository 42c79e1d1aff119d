from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import Imported, import_corpus, reading


def choice(*names: str, control: str = "mood", **more: Any) -> dict[str, Any]:
    return {"type": "choices", "from_name": control, "value": {"choices": list(names), **more}}


def task(number: int, *items: dict[str, Any]) -> dict[str, Any]:
    return {"id": number, "data": {"text": f"text {number}"}, "annotations": [{"result": items}]}


def imported(folder: Path, *values: Any, control: str | None = None) -> Imported:
    path = folder / "export.json"
    path.write_text(json.dumps(list(values), indent=1), encoding="utf-8")
    return import_corpus(path, how=reading(label_column=control))


def test_choices_about_the_text_are_categories(tmp_path: Path) -> None:
    about_words = choice("loud", start=0, end=4)
    found = imported(tmp_path, task(1, choice("sad", "calm")), task(2), task(3, about_words))
    assert [one.categories for one in found.examples] == [of_labels(["calm", "sad"]), (), ()]
    assert (found.report.format, found.report.kind) == ("label-studio", "categories")
    assert found.report.dropped == {"not_a_span": 1}


def test_of_several_controls_one_is_named(tmp_path: Path) -> None:
    one = task(1, choice("sad"), choice("sport", control="topic"))
    with pytest.raises(ConfigError, match=r"export\.json:2: .* mood, topic: name one by --label-c"):
        imported(tmp_path, one)
    (example,) = imported(tmp_path, one, control="topic").examples
    assert example.categories == of_labels(["sport"])


def test_choices_beside_spans_are_no_labels(tmp_path: Path) -> None:
    span = {"type": "labels", "value": {"start": 0, "end": 4, "text": "text", "labels": ["X"]}}
    found = imported(tmp_path, task(1, span, choice("sad")), task(2, choice("sad")))
    assert [len(one.entities) for one in found.examples] == [1, 0]
    assert (found.report.kind, found.report.dropped) == ("entities", {"not_a_span": 2})


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([{"choices": ["sad", "calm"]}, {"choices": "sad"}], [["sad", "calm"], ["sad"]]),
        ([{"mood": {"choices": ["sad", "calm"]}}, {}], [["sad", "calm"], []]),
        ([{"feeling": "sad", "annotation_id": 3}], [["sad"]]),
        ([{"sentiment": "sad", "annotation_id": 3, "created_at": "now"}], [["sad"]]),
    ],
)
def test_json_min_has_one_choice_bare_and_several_in_an_object(
    tmp_path: Path, values: list[dict[str, Any]], wanted: list[list[str]]
) -> None:
    entries = [{"id": n, "text": f"text {n}", **one} for n, one in enumerate(values)]
    found = imported(tmp_path, *entries)
    assert [one.categories for one in found.examples] == [of_labels(one) for one in wanted]
    assert (found.report.format, found.report.kind) == ("label-studio-min", "categories")


def test_json_min_with_two_places_of_labels_asks_which(tmp_path: Path) -> None:
    entry = {"id": 1, "text": "a", "mood": "sad", "topic": "sport", "annotation_id": 2}
    with pytest.raises(ConfigError, match="mood, topic: name one by --label-column"):
        imported(tmp_path, entry)
    assert imported(tmp_path, entry, control="mood").report.per_label == {"sad": 1}
