from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ConfigError
from schemas.files.corpus import Imported, import_corpus

TEXT = "\U0001f4a9\U0001f4c9 Oslo saw Åsa."


def imported(folder: Path, *spans: tuple[int, int, str | None]) -> Imported:
    entities: list[dict[str, Any]] = [
        {"start": start, "end": end, "label": "X"} | ({"surface": shown} if shown else {})
        for start, end, shown in spans
    ]
    path = folder / "c.jsonl"
    path.write_text("\n" + json.dumps({"text": TEXT, "entities": entities}), encoding="utf-8")
    return import_corpus(path)


@pytest.mark.parametrize(
    ("spans", "mended"),
    [
        ([(3, 7, "Oslo"), (12, 15, None)], {}),
        ([(5, 9, "Oslo"), (14, 17, None)], {"utf16_offsets": 2}),
        ([(9, 13, "Oslo"), (18, 22, "Åsa")], {"utf8_offsets": 2}),
        ([(2, 7, "Oslo"), (12, 15, None)], {"white_space": 1}),
    ],
)
def test_the_surface_beside_them_tells_what_offsets_count(
    tmp_path: Path, spans: list[tuple[int, int, str | None]], mended: dict[str, int]
) -> None:
    found = imported(tmp_path, *spans)
    assert [e.surface for e in found.examples[0].entities] == ["Oslo", "Åsa"]
    assert found.report.mended == mended


def test_only_offsets_that_moved_are_counted(tmp_path: Path) -> None:
    found = imported(tmp_path, (0, 2, "\U0001f4a9"), (5, 9, "Oslo"), (14, 17, "Åsa"))
    assert found.report.mended == {"utf16_offsets": 3}
    path = tmp_path / "d.jsonl"
    spans = [{"start": 0, "end": 4, "label": "X"}, {"start": 8, "end": 11, "label": "X"}]
    spans[1]["text"] = "Bob"
    path.write_text(json.dumps({"text": "Oslo \U0001f4a9 Bob", "entities": spans}))
    assert import_corpus(path).report.mended == {"utf16_offsets": 1}


@pytest.mark.parametrize(
    "spans",
    [
        [(5, 9, "Oslo"), (12, 15, "Åsa")],  # one in UTF-16 units, one in code points
        [(4, 8, "Oslo")],
        [(1, 3, "\U0001f4c9"), (5, 9, "Oslo")],  # begins within a character
    ],
)
def test_offsets_that_fit_in_no_unit_are_refused(
    tmp_path: Path, spans: list[tuple[int, int, str | None]]
) -> None:
    with pytest.raises(ConfigError, match=r"c\.jsonl:2: .*UTF-16 units or UTF-8 bytes"):
        imported(tmp_path, *spans)
