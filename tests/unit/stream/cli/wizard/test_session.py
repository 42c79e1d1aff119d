from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from stream.cli.wizard.session import SESSION, Said, open_session


def test_a_session_is_read_back(tmp_path: Path) -> None:
    session = open_session(tmp_path)
    session.said.append(Said("name", "Ada", by_person=True))
    session.pay("texts", ["a", "b"])
    again = open_session(tmp_path)
    assert again.said == [Said("name", "Ada", by_person=True)]
    assert again.paid == {"texts": ["a", "b"]}


@pytest.mark.parametrize("text", ["", "[]", '{"version": 9}', '{"version": 1, "said": [[1]]}'])
def test_what_is_no_session_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / SESSION).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="remove it to begin anew"):
        open_session(tmp_path)


def test_a_task_of_another_making_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text("name: mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="take another --out"):
        open_session(tmp_path)


def test_a_file_that_a_person_has_edited_stays_as_it_is(tmp_path: Path) -> None:
    session, path = open_session(tmp_path), tmp_path / "task.yaml"
    assert session.write_file(path, "one")
    assert open_session(tmp_path).write_file(path, "two")
    path.write_text("mine", encoding="utf-8")
    assert not open_session(tmp_path).write_file(path, "three")
    assert path.read_text(encoding="utf-8") == "mine"
