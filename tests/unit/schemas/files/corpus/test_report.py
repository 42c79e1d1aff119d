from __future__ import annotations

from pathlib import Path

from schemas.files.corpus import DataReport, import_corpus

LINES = """
{"text": "Ada met Bo", "label": [[0, 4, "PER"], [8, 10, "PER"]]}
{"text": "rain", "label": []}
{"text": "rain", "label": []}
{"text": "rain", "label": [[0, 4, "LOC"], [0, 4, "LOC"]]}
"""


def test_the_report_counts_what_a_file_held_and_what_was_done(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text(LINES, encoding="utf-8")
    report = import_corpus(tmp_path / "c.jsonl").report
    assert report == DataReport(
        format="doccano",
        records=4,
        spans=3,
        per_label={"LOC": 1, "PER": 2},
        mended={"white_space": 1},
        dropped={"span_again": 1},
        duplicates=2,
        contradictions=1,
    )
    assert set(report.as_dict()) == {
        "format", "records", "spans", "per_label", "mended", "dropped", "duplicates",
        "contradictions", "unchanged", "kind", "categories",
    }  # fmt: skip
    assert report.lines() == [
        "doccano: 4 texts, 3 spans (LOC 1, PER 2)",
        "mended: white space 1; dropped: span again 1",
        "2 texts come again, 1 of them with other labels",
    ]
