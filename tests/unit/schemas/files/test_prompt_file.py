"""Versions of a prompt as files: superseded, never edited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.files.prompt_file import InUse, PromptFolder, PromptVersion
from schemas.files.prompt_words import LabelWords, PromptWords
from schemas.files.task import TaskExample
from schemas.types import Category, Entity

ENTITY_SHOT = TaskExample("Ada: Ada came", (Entity(5, 8, "PER", "Ada"),))
WORDS = PromptWords("- yes\n- no: \x85", (LabelWords("PER", "P: 1", ("a, b",)),), (ENTITY_SHOT,))
PROMPT = PromptVersion(
    WORDS,
    parent="0123456789ab",
    made_at="2026-01-02T03:04:05+00:00",
    why=("guideline added: x",),
    scores={"keep": {"f1": 0.5}, "report": None},
    agreement=0.75,
)


@pytest.fixture
def folder(tmp_path: Path) -> PromptFolder:
    return PromptFolder(tmp_path / "prompts/people", kind="entities")


def test_a_version_is_read_back_as_it_was_written(folder: PromptFolder) -> None:
    folder.add(PROMPT)

    assert folder.versions() == [PROMPT]
    assert folder.read(PROMPT.version) == PROMPT


@pytest.mark.parametrize(
    "text", ["a\x85b", "end\x85", "\u2028line", "\ufeffmark", "😀 é 中", "a\tb\r\nc "]
)
def test_whatever_characters_the_words_have_they_are_read_back(
    folder: PromptFolder, text: str
) -> None:
    prompt = replace(PROMPT, words=replace(WORDS, guidelines=text))
    folder.add(prompt)

    assert folder.versions() == [prompt]


def test_a_version_of_categories_is_read_back_too(tmp_path: Path) -> None:
    shot = TaskExample("Oh no", categories=(Category("very angry"),))
    prompt = replace(PROMPT, words=replace(WORDS, examples=(shot,)))
    folder = PromptFolder(tmp_path, kind="categories")
    folder.add(prompt)

    assert folder.versions() == [prompt]


def test_a_version_that_is_there_is_never_written_again(folder: PromptFolder) -> None:
    folder.add(PROMPT)
    folder.add(replace(PROMPT, why=("something else",)))

    assert folder.versions() == [PROMPT]


def test_versions_are_listed_by_their_age(folder: PromptFolder) -> None:
    later = replace(PROMPT, words=replace(WORDS, guidelines=""), made_at="2027-01-01T00:00:00")
    folder.add(later)
    folder.add(PROMPT)

    assert folder.versions() == [PROMPT, later]


def test_a_file_that_was_edited_is_refused(folder: PromptFolder) -> None:
    folder.add(PROMPT)
    file = folder.path / f"{PROMPT.version}.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("P: 1", "P: 2"), encoding="utf-8")

    with pytest.raises(ConfigError, match=r"was edited: .* superseded, never edited"):
        folder.versions()


def test_a_file_that_is_no_version_is_named(folder: PromptFolder) -> None:
    folder.add(PROMPT)
    (folder.path / "mine.yaml").write_text("guidelines: be good\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"mine\.yaml: version: Field required"):
        folder.versions()


def test_a_version_that_there_is_not_is_named_beside_those_that_there_are(
    folder: PromptFolder,
) -> None:
    folder.add(PROMPT)

    with pytest.raises(ConfigError, match=rf"no prompt 'abc'; it has {PROMPT.version}"):
        folder.read("abc")


def test_none_is_in_use_until_one_is_chosen_and_after_it_is_left(folder: PromptFolder) -> None:
    assert (folder.in_use(), folder.versions()) == (None, [])
    folder.use(InUse("0123456789ab", "ba9876543210"))
    assert folder.in_use() == InUse("0123456789ab", "ba9876543210")
    assert folder.versions() == []
    folder.use(None)
    assert folder.in_use() is None
