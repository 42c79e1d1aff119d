"""All that a chat is made of, and what happens where redaction cannot be done."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from schemas.errors import RedactionError
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.settings.redaction import RedactionSettings
from schemas.types import Entity
from stream.teacher.prompt import build_messages
from stream.teacher.prompt_edits import Mistake, proposal_messages
from stream.teacher.question import Question
from stream.teacher.redaction.patterns import Found
from stream.teacher.redaction.redactor import Redactor

ON = RedactionSettings(enabled=True)
TEXT = "Ada is ada@example.org"
TASK = Task(
    "people",
    "en",
    (LabelSpec("PER", "As in bob@example.org.", examples=("eve@example.org",)), LabelSpec("MAIL")),
    guidelines="Ask carl@example.org.",
    examples=(TaskExample(TEXT, (Entity(0, 3, "PER", "Ada"), Entity(7, 22, "MAIL", TEXT[7:]))),),
)


def test_examples_and_words_of_the_task_are_redacted_and_their_spans_moved() -> None:
    task = Redactor(ON).task(TASK)
    assert [x.surface for x in task.examples[0].entities] == ["Ada", "[EMAIL_1]"]
    assert "@" not in str(build_messages(task, "x"))


def test_questions_and_mistakes_are_redacted() -> None:
    redactor = Redactor(ON)
    asked = {"items": [{"text": TEXT, "n": 3}], "known": ("bob@example.org",)}
    assert "@" not in redactor.question(Question("q", "about bob@example.org", asked, {})).text
    mistake = Mistake(TASK.examples[0], frozenset({(7, 22, "MAIL")}), frozenset({(0, 3, "PER")}))
    told = proposal_messages(redactor.task(TASK), redactor.mistakes([mistake]))
    assert "@" not in str(told)
    assert '"text": "[EMAIL_1]"' in told[1]["content"]


def test_what_was_not_redacted_does_not_pass_the_gate() -> None:
    redactor = Redactor(ON)
    redactor.require_clean(build_messages(redactor.task(TASK), "nobody"))
    for messages in (build_messages(TASK, "nobody"), build_messages(redactor.task(TASK), TEXT)):
        with pytest.raises(RedactionError):
            redactor.require_clean(messages)


def test_the_codes_that_answers_repeat_are_nobodys_numbers() -> None:
    Redactor(ON).require_clean([{"role": "user", "content": 'say "id" is "21255501"'}])


def test_where_redaction_is_off_all_stays_as_it_is() -> None:
    redactor = Redactor(RedactionSettings())
    assert redactor.masked(TEXT).text == TEXT
    assert redactor.task(TASK) is TASK
    redactor.require_clean(build_messages(TASK, TEXT))


def test_only_the_kinds_that_are_wanted_are_taken_out() -> None:
    redactor = Redactor(RedactionSettings(enabled=True, kinds=("card",)))
    assert redactor.words(f"{TEXT} 4111111111111111") == f"{TEXT} [CARD_1]"


def test_a_failing_finder_lets_nothing_out_and_quotes_nothing() -> None:
    def failing(text: str) -> Iterator[Found]:
        raise ValueError(text)

    redactor = Redactor(ON, finders=[failing])
    with pytest.raises(RedactionError, match="ValueError") as caught:
        redactor.masked(TEXT)
    assert "Ada" not in str(caught.value)
    with pytest.raises(RedactionError, match="ValueError"):
        redactor.require_clean([{"role": "user", "content": TEXT}])


def test_without_the_library_nothing_is_asked_and_the_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['stdnum'] = None\n"
        "from schemas.errors import ConfigError\n"
        "from schemas.settings.redaction import RedactionSettings\n"
        "from stream.teacher.redaction.redactor import Redactor\n"
        "Redactor(RedactionSettings())\n"
        "try: Redactor(RedactionSettings(enabled=True, kinds=('email',)))\n"
        "except ConfigError as error: print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "pip install '.[redaction]'" in said.stdout
