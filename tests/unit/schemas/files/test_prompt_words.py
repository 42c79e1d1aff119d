"""Words in place of a task's own: the task stays what it was."""

from __future__ import annotations

from dataclasses import replace

from schemas.files.prompt_words import LabelWords, PromptWords, worded, words_of
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.types import Entity, text_digest

TASK = Task(
    "people",
    "en",
    (LabelSpec("PER", "People.", ("Ada",)), LabelSpec("LOC", "Places.")),
    guidelines="No titles.",
)
SHOWN = TaskExample("Ada came", (Entity(0, 3, "PER", "Ada"),))
WORDS = PromptWords(
    "Titles too.", (LabelWords("PER", "Persons."), LabelWords("LOC", "Towns.")), (SHOWN,), "notes"
)


def test_a_task_in_other_words_is_the_same_task() -> None:
    task = worded(TASK, WORDS)

    assert task.digest == TASK.digest
    assert words_of(task) == WORDS
    assert words_of(worded(task, words_of(TASK))) == words_of(TASK)


def test_a_task_in_other_words_still_knows_the_digest_that_version_0_1_0_gave_it() -> None:
    assert TASK.versions.keys() <= worded(TASK, WORDS).versions.keys()


def test_any_other_word_is_another_version() -> None:
    others = {
        replace(WORDS, guidelines="").version,
        replace(WORDS, labels=WORDS.labels[:1]).version,
        replace(WORDS, examples=()).version,
        replace(WORDS, answer_form="plain").version,
    }
    assert len(others | {WORDS.version}) == 5


def test_a_label_that_was_renamed_since_is_found_by_its_old_name() -> None:
    renamed = replace(
        TASK, labels=(LabelSpec("PERSON", was=("PER",)), LabelSpec("NEW", "As the file says."))
    )
    task = worded(renamed, WORDS)

    assert [label.description for label in task.labels] == ["Persons.", "As the file says."]
    assert task.examples[0].entities[0].label == "PERSON"


def test_an_example_with_a_label_that_is_gone_is_left_out() -> None:
    assert worded(replace(TASK, labels=TASK.labels[1:]), WORDS).examples == ()


def test_a_task_names_the_texts_that_the_teacher_is_or_was_shown() -> None:
    task = replace(worded(TASK, WORDS), shown=("before",))

    assert task.shown_texts == {"before", text_digest(SHOWN.text)}
