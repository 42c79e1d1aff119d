from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from distill.labels.snapshot import (
    label_in,
    labels_in,
    read_snapshot,
    rows_digest,
    write_snapshot,
)
from schemas.errors import DiskError, GateError
from schemas.types import Category, Entity, Opinion, SilverLabel, text_digest
from stream.testing.full_disk import full_disk
from stream.testing.messages import a_label

MakeLabel = Callable[..., SilverLabel]


def test_a_snapshot_reads_back_as_it_was_written(tmp_path: Path, make_label: MakeLabel) -> None:
    labels = [
        make_label("Ada went 🚀 to Oslo\n", audit=True, weight=0.1 + 0.2),
        make_label("nothing here", entities=(), source="human"),
        replace(
            make_label("Ada again", audit=True),
            teacher="best",
            opinions=(Opinion("", "v1", (), 0.1 + 0.2), Opinion("b", "m", ((0, 3, "PER"),))),
        ),
        make_label("Bo and Cy", entities=(Entity(0, 2, "PER", "Bo", 0.3), Entity(7, 9, "X", "Cy"))),
    ]
    snapshot = write_snapshot(labels, tmp_path)
    assert set(snapshot.labels) == set(labels)
    assert read_snapshot(snapshot.path, digest=snapshot.digest) == snapshot


def test_the_same_labels_give_the_same_file_in_any_order(
    tmp_path: Path, make_label: MakeLabel
) -> None:
    labels = [make_label(f"Ada {i}") for i in range(20)]
    first, again = write_snapshot(labels, tmp_path), write_snapshot(labels[::-1], tmp_path)
    assert first == again
    assert len(list(tmp_path.iterdir())) == 1


def test_a_column_of_a_later_version_is_passed_over(tmp_path: Path, make_label: MakeLabel) -> None:
    snapshot = write_snapshot([make_label("Ada")], tmp_path)
    later = pq.read_table(snapshot.path)
    pq.write_table(later.append_column("later", [["x"]]), snapshot.path)
    assert read_snapshot(snapshot.path, digest=snapshot.digest) == snapshot


def test_one_more_label_is_another_snapshot(tmp_path: Path, make_label: MakeLabel) -> None:
    first = write_snapshot([make_label("Ada")], tmp_path)
    second = write_snapshot([make_label("Ada"), make_label("Bo")], tmp_path)
    assert first.path != second.path
    assert first.path.exists()


def test_a_snapshot_that_was_changed_is_refused(tmp_path: Path, make_label: MakeLabel) -> None:
    snapshot = write_snapshot([make_label("Ada")], tmp_path)
    other = write_snapshot([make_label("Bo")], tmp_path)
    snapshot.path.write_bytes(other.path.read_bytes())
    with pytest.raises(GateError, match="was changed"):
        write_snapshot([make_label("Ada")], tmp_path)


def test_a_broken_file_is_refused_in_one_line(tmp_path: Path, make_label: MakeLabel) -> None:
    snapshot = write_snapshot([make_label("Ada")], tmp_path)
    snapshot.path.write_bytes(b"PAR1 but no more")
    with pytest.raises(GateError, match="cannot read the snapshot"):
        read_snapshot(snapshot.path, digest=snapshot.digest)


def test_no_labels_make_an_empty_snapshot(tmp_path: Path) -> None:
    assert write_snapshot([], tmp_path).labels == ()


@pytest.mark.parametrize("most_bytes", [0, 2000])
def test_on_a_full_disk_there_is_no_snapshot_and_the_next_try_is_whole(
    tmp_path: Path, make_label: MakeLabel, most_bytes: int
) -> None:
    labels = [make_label(f"Ada {i}") for i in range(200)]
    with (
        pytest.raises(DiskError, match=r"cannot write .*labels-.*: File too large"),
        full_disk(most_bytes=most_bytes),
    ):
        write_snapshot(labels, tmp_path)
    assert [*tmp_path.iterdir()] == []
    assert len(write_snapshot(labels, tmp_path).labels) == 200


def test_a_label_is_found_in_a_snapshot_by_its_texts_digest(
    tmp_path: Path, make_label: MakeLabel
) -> None:
    labels = [make_label(f"Ada {i}") for i in range(9)]
    data = write_snapshot(labels, tmp_path).path.read_bytes()
    assert label_in(data, text_digest("Ada 7")) == labels[7]
    assert label_in(data, text_digest("Bo")) is None
    assert set(labels_in(data)) == set(labels)
    with pytest.raises(GateError, match="cannot read the snapshot"):
        label_in(b"PAR1 but no more", text_digest("Ada 7"))


def test_the_digest_of_rows_is_what_it_always_was() -> None:
    labels = [
        a_label(text="Ada 🚀", entities=(Entity(0, 3, "PER", "Ada", 0.3),)),
        a_label(text="é", entities=(), categories=(Category("sad", 0.5),), producer="p"),
    ]
    assert rows_digest(labels) == "a3dddeaded1477936f00a9abacad35a449ca41d02f4ed3141440256c6e616c50"
