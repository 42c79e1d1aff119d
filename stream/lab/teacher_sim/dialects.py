"""How servers and models say a right answer, each in its own way, and how they give none.

A dialect is a pure function from the answer (as `stream.teacher.prompt.render_answer`
writes it) and its text to a response. Each comes from a public bug report of this field.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from stream.lab.teacher_sim.dialect import Dialect, Outcome, Reply, content, message
from stream.lab.teacher_sim.dialects_of_kinds import COUNTED, NAMED
from stream.teacher.prompt_parts import answer_code, text_code

# The answer as a model says it: content around the JSON, or another form of it.


def _draft(answer: str) -> str:
    """Write the same object with nothing in it: what a model thinks before it answers."""
    told = json.loads(answer)
    emptied: dict[str, list[Any]] = {member: [] for member in told if member != "id"}
    return json.dumps({**told, **emptied, "draft": True})


def _harmony(answer: str, _text: str) -> str:
    return (
        f"<|channel|>analysis<|message|>At first {_draft(answer)}, but no.<|end|>"
        f"<|start|>assistant<|channel|>final<|message|>{answer}<|return|>"
    )


def _another_text(answer: str, _text: str) -> str:
    return f'The text itself says {{"id": "00000000", "entities": []}}. So:\n{answer}'


def _whole_code(answer: str, text: str) -> str:
    return answer.replace(answer_code(text), text_code(text), 1)


_AROUND = (
    content("think", "Thinks aloud in <think> first.", lambda a, _: f"<think>Hm.</think>\n\n{a}"),
    content(
        "think-draft",
        "Thinks aloud in <think>, with a draft that differs from the answer.",
        lambda a, _: f"<think>\nPerhaps {_draft(a)}? No.\n</think>\n{a}",
    ),
    content(
        "think-end",
        "Thinks aloud with a closing </think> alone, as templates that open it leave it.",
        lambda a, _: f"Perhaps {_draft(a)}? No.\n</think>\n\n{a}",
    ),
    content(
        "think-only",
        "Says the answer within <think> and nothing after it.",
        lambda a, _: f"<think>That makes {a}</think>\n",
    ),
    content("harmony", "Channel markers: analysis, with a draft, then final.", _harmony),
    content(
        "harmony-bare",
        "The same without special tokens: analysis...assistantfinal...",
        lambda a, _: f"analysisAt first {_draft(a)}, but no.assistantfinal{a}",
    ),
    content(
        "mistral",
        "Thinks aloud in [THINK].",
        lambda a, _: f"[THINK]Perhaps {_draft(a)}?[/THINK]{a}</s>",
    ),
    content("prose", "Prose before it.", lambda a, _: f"Sure! Here it is: {a}"),
    content("fence", "In a Markdown fence.", lambda a, _: f"```json\n{a}\n```"),
    content(
        "fence-prose",
        "Prose, a fence, and a closing remark.",
        lambda a, _: f"Here you are:\n\n```json\n{a}\n```\n\nLet me know {{if}} I can do more!",
    ),
    content("remark", "A closing remark.", lambda a, _: f"{a}\n\nI listed each mention once."),
    content("end-token", "The end token of its chat template.", lambda a, _: f"{a}<|im_end|>"),
    content("end-of-text", "The end token </s>.", lambda a, _: f"{a}</s>"),
    content("twice", "The same object twice.", lambda a, _: f"{a}\n{a}"),
    content("another-text", "Quotes an object with the code of another text.", _another_text),
    content("whole-code", "Copies the text's code whole, not half of it.", _whole_code),
    content("wrapped", "Inside another object.", lambda a, _: f'{{"answer": {a}}}'),
    content(
        "two-answers",
        "Two different objects: nobody knows which is meant.",
        lambda a, _: f"{a}\nOr rather:\n{_draft(a)}",
        outcome="invalid",
    ),
    content(
        "draft-only",
        "A draft in <think>, then no answer.",
        lambda a, _: f"<think>{_draft(a)}</think>I am not sure.",
        outcome="invalid",
    ),
)


# The answer elsewhere than in `content`.


def _placed(name: str, about: str, place: Callable[[str], Mapping[str, Any]]) -> Dialect:
    return Dialect(name, about, "answer", lambda answer, _text: message(**place(answer)))


def _part(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _call(arguments: Any) -> dict[str, Any]:
    function = {"name": "answer", "arguments": arguments}
    return {
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        "finish_reason": "tool_calls",
    }


_PLACED = (
    _placed("parts", "Content is a list of text parts.", lambda a: {"content": [_part(a)]}),
    _placed(
        "split-parts",
        "Content is a list of parts that cut the JSON in two.",
        lambda a: {"content": [_part(a[:9]), _part(a[9:])]},
    ),
    _placed(
        "thinking-part",
        "Content is a list whose first part is the thinking.",
        lambda a: {
            "content": [{"type": "thinking", "thinking": [_part(_draft(a))]}, _part(a)],
        },
    ),
    _placed("tool-call", "A forced tool call: the answer is its arguments.", _call),
    _placed(
        "tool-call-object",
        "A tool call whose arguments are an object, no string.",
        lambda a: _call(json.loads(a)),
    ),
    _placed(
        "function-call",
        "The older function_call.",
        lambda a: {
            "function_call": {"name": "answer", "arguments": a},
            "finish_reason": "function_call",
        },
    ),
    _placed("reasoning", "In `reasoning`, beside null content.", lambda a: {"reasoning": a}),
    _placed(
        "reasoning-content",
        "In `reasoning_content`, beside empty content.",
        lambda a: {"reasoning_content": f"So: {a}", "content": ""},
    ),
    _placed(
        "reasoning-beside",
        "In `content`, with a draft in `reasoning_content`.",
        lambda a: {"reasoning_content": _draft(a), "content": a},
    ),
    _placed(
        "empty-refusal", "An empty refusal beside it.", lambda a: {"content": a, "refusal": ""}
    ),
)


# No answer at all.


def _failing(name: str, about: str, outcome: Outcome, reply: Reply) -> Dialect:
    return Dialect(name, about, outcome, lambda _answer, _text: reply)


def _error(**error: Any) -> Reply:
    return Reply({"error": {"message": "simulated", **error}})


_FAILING = (
    _failing("error-429", "Error 429 in a body with 200.", "retry", _error(code=429)),
    _failing(
        "error-overloaded",
        "An overloaded_error in a body with 200.",
        "retry",
        _error(type="overloaded_error"),
    ),
    _failing(
        "error-string",
        "An error that is a mere string, with 200.",
        "retry",
        Reply({"error": "upstream failed"}),
    ),
    _failing(
        "error-key",
        "A wrong key, told in a body with 200.",
        "permanent",
        _error(code="invalid_api_key", type="invalid_request_error"),
    ),
    _failing(
        "error-too-long",
        "A text that is too long, told in a body with 200.",
        "invalid",
        _error(code="context_length_exceeded", type="invalid_request_error"),
    ),
    _failing(
        "error-filter",
        "A content filter, told in a body with 200.",
        "refused",
        _error(code="content_filter"),
    ),
    _failing(
        "error-choice",
        "An error within the choice.",
        "retry",
        Reply({"choices": [{"error": {"code": 502}, "finish_reason": "error"}], "usage": None}),
    ),
    _failing("no-choices", "No choices.", "retry", Reply({"choices": [], "usage": None})),
    _failing(
        "no-message",
        "A choice without a message.",
        "retry",
        Reply({"choices": [{"index": 0, "finish_reason": "stop"}], "usage": None}),
    ),
    _failing(
        "gateway-timeout",
        "Status 504: a gateway gave up waiting, and the call may be billed.",
        "retry",
        Reply({"error": {"message": "simulated"}}, status=504),
    ),
)

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect for dialect in (*_AROUND, *COUNTED, *NAMED, *_PLACED, *_FAILING)
}
"""All of them, by name."""
