"""The redactor: all that a chat is made of without what is personal, and the check of the whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Final

from schemas.errors import RedactionError
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.settings.redaction import RedactionSettings
from stream.teacher.prompt_edits import Mistake
from stream.teacher.question import Question
from stream.teacher.redaction.masking import Masked, mask
from stream.teacher.redaction.numbers import Finder, number_finders
from stream.teacher.redaction.patterns import Found, emails, secrets, written_ids
from stream.teacher.several.chat import fenced_texts

_REMEMBERED: Final = 256
_CODES: Final = re.compile(r'("id"(?: is|:) ")[0-9a-f]{8,16}(?=")')
"""What an answer must repeat: digits that are nobody's."""


class Redactor:
    """Takes out what the settings say; made where `teacher.redaction` is off it changes nothing.

    `finders` replaces what finds it. Raises `ConfigError` where a library is missing. Whatever
    fails later is a `RedactionError`: nothing is sent then.
    """

    def __init__(
        self, settings: RedactionSettings, *, finders: Sequence[Finder] | None = None
    ) -> None:
        self.enabled = settings.enabled
        if finders is None:
            finders = _finders(settings) if settings.enabled else ()
        self._find = lru_cache(maxsize=_REMEMBERED)(partial(_found, tuple(finders)))

    def masked(self, text: str) -> Masked:
        """Give the text with placeholders; `RedactionError` where that cannot be done."""
        return mask(text, self._find) if self.enabled else Masked(text, text)

    def words(self, text: str) -> str:
        """Give words that no answer points into."""
        return self.masked(text).text

    def task(self, task: Task) -> Task:
        """Give the task as it is told: its words and examples."""
        if not self.enabled:
            return task
        return replace(
            task,
            guidelines=self.words(task.guidelines),
            labels=tuple(map(self._label, task.labels)),
            examples=self.examples(task.examples),
        )

    def examples(self, examples: Sequence[TaskExample]) -> tuple[TaskExample, ...]:
        """Give examples whose annotation stands on the placeholders."""
        return tuple(map(self._example, examples)) if self.enabled else tuple(examples)

    def mistakes(self, mistakes: Sequence[Mistake]) -> list[Mistake]:
        """Give mistakes that stand on the placeholders."""
        return [self._mistake(one) for one in mistakes] if self.enabled else list(mistakes)

    def question(self, question: Question) -> Question:
        """Give the question with placeholders in its data."""
        if not self.enabled:
            return question
        asked = {name: _mapped(value, self.words) for name, value in question.asked.items()}
        return replace(question, system=self.words(question.system), asked=asked)

    def require_clean(self, messages: Sequence[Mapping[str, str]]) -> None:
        """Raise `RedactionError` unless nothing personal is left in what is about to be sent."""
        if not self.enabled:
            return
        for message in messages:
            contents = fenced_texts(message["content"])
            if contents is None:
                contents = [_CODES.sub(r"\1", message["content"])]
            if any(self.masked(content).pieces for content in contents):
                raise RedactionError("something personal is left in what would be sent")

    def _label(self, label: LabelSpec) -> LabelSpec:
        examples = tuple(map(self.words, label.examples))
        return replace(label, description=self.words(label.description), examples=examples)

    def _example(self, example: TaskExample) -> TaskExample:
        masked = self.masked(example.text)
        return replace(example, text=masked.text, entities=masked.masked(example.entities))

    def _mistake(self, one: Mistake) -> Mistake:
        masked = self.masked(one.example.text)
        gold, said = (masked.masked_facts(facts) for facts in (one.gold, one.said))
        return Mistake(self._example(one.example), gold, said)


def _finders(settings: RedactionSettings) -> list[Finder]:
    countries = frozenset(settings.countries)
    by_form: dict[str, Finder] = {
        "email": emails,
        "secret": secrets,
        "id": partial(written_ids, countries=countries),
    }
    chosen = [finder for kind, finder in by_form.items() if kind in settings.kinds]
    return [*chosen, *number_finders(settings)]


def _found(finders: Sequence[Finder], text: str) -> list[Found]:
    try:
        return [found for finder in finders for found in finder(text)]
    except Exception as error:  # noqa: BLE001 - whatever it is, the text must not leave
        # Its words may quote the text.
        raise RedactionError(f"redaction failed ({type(error).__name__})") from None


def _mapped(value: Any, words: Callable[[str], str]) -> Any:
    """Change every string within a JSON value; the names of members are ours."""
    if isinstance(value, str):
        return words(value)
    if isinstance(value, Mapping):
        return {name: _mapped(x, words) for name, x in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(x, words) for x in value]
    return value
