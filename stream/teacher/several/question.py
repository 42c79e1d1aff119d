"""A question about several texts, made of those about each, and how its answer is parted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from schemas.errors import AnswerError
from stream.teacher.completions import Completion, Usage
from stream.teacher.kinds.said import Said
from stream.teacher.prompt import Message
from stream.teacher.prompt_parts import text_code
from stream.teacher.question import Wanted
from stream.teacher.several.chat import joined_chat, joined_schema, read_parts, sizes_of_parts
from stream.teacher.several.splitting import split_usage
from stream.teacher.text_questions import TextQuestion


@dataclass(frozen=True, slots=True)
class Part:
    """What was said of one text, in which completion, and its part of what that took."""

    said: Said
    completion: Completion
    usage: Usage


@dataclass(frozen=True)
class Several:
    """Questions with these keys, of one system message and one schema, asked in one call.

    It has the form of `stream.teacher.question.Question`.
    """

    keys: tuple[str, ...]
    questions: tuple[TextQuestion, ...]
    least_out = 0

    @property
    def text(self) -> str:
        """All that is data of it."""
        return "\n".join(one.text for one in self.questions)

    @cached_property
    def messages(self) -> list[Message]:
        """The chat."""
        return joined_chat([one.messages for one in self.questions])

    def wanted(self, *, most_out: int) -> Wanted:
        """Give the form of its answer, of so many tokens at most."""
        return Wanted(joined_schema(self.questions[0].schema), self.questions[0].name, most_out)

    def split(self, usage: Usage, content: str | None) -> list[Usage]:
        """Split what was used among the texts."""
        told = [len(one.messages[-1]["content"]) for one in self.questions]
        in_common = sum(len(message["content"]) for message in self.messages[:-1])
        # What all have in common is a part of each: with n texts an n-th of it.
        weights = [len(told) * one + in_common for one in told]
        return split_usage(usage, told=weights, said=sizes_of_parts(content, self._codes))

    def read(self, completion: Completion, usage: Usage) -> list[Part | AnswerError]:
        """Read what is said of each text; raises as `read_parts`."""
        content, finish_reason = completion.content, completion.finish_reason
        parts = read_parts(content, finish_reason=finish_reason, codes=self._codes)
        shares = self.split(usage, content)
        found: list[Part | AnswerError] = []
        for one, part, share in zip(self.questions, parts, shares, strict=True):
            try:
                said = part if isinstance(part, AnswerError) else one.read_members(part[0])
            except AnswerError as error:
                said = error
            found.append(Part(said, completion, share) if isinstance(said, Said) else said)
        return found

    @property
    def _codes(self) -> list[str]:
        return [text_code(one.text) for one in self.questions]
