"""What the prompts and answers of every kind are made of: fence, code, label lines, closed objects.

The text under label is data. It stands verbatim between two lines that carry
the first 64 bits of its own SHA-256, so that it cannot hold the closing line:
a writer would have to find a text that contains its own digest. The answer
must repeat half of that code at least, so that the answer to another request is noticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.errors import InvalidAnswerError
from schemas.files.task import Task
from schemas.types import text_digest

_FENCE = re.compile(r"<text ([0-9a-f]{16})>\n(.*)\n</text \1>", re.DOTALL)


CODE_DIGITS = 8
"""How much of a text's code its answer must repeat."""


def text_code(text: str) -> str:
    """Return the code that stands around `text`: 16 hexadecimal digits."""
    return text_digest(text)[:16]


def answer_code(text: str) -> str:
    """Return what an answer about `text` must carry of that code at least."""
    return text_code(text)[:CODE_DIGITS]


def fenced(text: str) -> str:
    """Put the text between its two lines."""
    code = text_code(text)
    return f"<text {code}>\n{text}\n</text {code}>"


def extract_text(messages: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the text that a chat of ours asks about; None for any other chat."""
    content = messages[-1].get("content") if messages else None
    match = _FENCE.fullmatch(content) if isinstance(content, str) else None
    return match[2] if match else None


def answer_json(text: str, members: Mapping[str, Any]) -> str:
    """Write an answer about `text`."""
    return json.dumps({"id": answer_code(text), **members}, ensure_ascii=False)


def closed_object(properties: dict[str, Any]) -> dict[str, Any]:
    """Build the schema of an object that has all of these members and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def label_lines(
    heading: str, task: Task, *, such_as: Callable[[Sequence[str]], str] = ", ".join
) -> str:
    """Tell of each label in one line; `such_as` joins the examples of one."""
    lines = [f"{heading} (language of the texts: {task.language}):"]
    for label in task.labels:
        description = f": {label.description}" if label.description else ""
        examples = f" (such as {such_as(label.examples)})" if label.examples else ""
        lines.append(f"- {label.name}{description}{examples}")
    return "\n".join(lines)


def known_label(name: Any, labels: Sequence[str], *, of: str) -> str:
    """Find the label that is meant, in any letter case and spacing.

    Raises `InvalidAnswerError` for one that the task does not know; `of` says what has it.
    """
    if name in labels:
        return str(name)
    folded = _folded(name) if isinstance(name, str) else None
    alike = [label for label in labels if _folded(label) == folded]
    if len(alike) != 1:
        raise InvalidAnswerError(f"{of} has a label that the task does not know")
    return alike[0]


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
