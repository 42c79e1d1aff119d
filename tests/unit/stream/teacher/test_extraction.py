from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import InvalidAnswerError
from stream.teacher.extraction import find_answer

CODE = "0123abcd"
ADA = {"text": "Ada", "label": "PER", "occurrence": 1}
ANSWER = {"id": CODE, "entities": [ADA]}
DRAFT = json.dumps({"id": CODE, "entities": []})
SAID = json.dumps(ANSWER)


def refuse(said: str) -> str:
    with pytest.raises(InvalidAnswerError) as caught:
        find_answer(said, CODE)
    return str(caught.value)


@pytest.mark.parametrize(
    "around",
    [
        "@",
        "<think>Ada is a {person}.</think>@",
        "<think>\nDraft: " + DRAFT + "\n</think>\n\n@",
        "Draft: " + DRAFT + "</think>@",
        "Well, " + DRAFT + " would be wrong.</thinking>```json\n@\n```",
        "[THINK]" + DRAFT + "[/THINK]@</s>",
        "\u25c1think\u25b7" + DRAFT + "\u25c1/think\u25b7@",
        "<seed:think>" + DRAFT + "</seed:think>@<seed:eos>",
        "<|START_THINKING|>" + DRAFT + "<|END_THINKING|>@",
        "<|channel|>analysis<|message|>" + DRAFT + "<|end|><|start|>assistant"
        "<|channel|>final<|message|>@<|return|>",
        "<|channel|>analysis<|message|>" + DRAFT + "<|end|>"
        "<|channel|>final <|constrain|>json<|message|>@",
        "analysis" + DRAFT + ".assistantfinal@",
        "<think>hm</think><think>" + DRAFT + "</think>@</think>\n",
        "Here you are:\n@\nLet me know if you need more {braces}!",
        "Sure:\n```json\n@\n```\nDone.",
        "```\n@\n```",
        "@</s>",
        "@<|im_end|>",
        "@<|eot_id|>",
        "@<\uff5cend\u2581of\u2581sentence\uff5c>",
        "@\n@",
        "```json\n@\n```\nOnce more: @",
        "<think>@</think>",
        "<think>So it is @</think>\n<|im_end|>",
        "<think>So it is @",
        "The text says " + '{"id": "ffffffff", "entities": []}' + ", so: @",
        '{"name": "entities", "arguments": @}',
        "[@]",
        "@{",
        '{"a": {"b": [1, @ ]',
        "\ufeff@",
        '{"n": NaN} {"n": ' + "9" * 5000 + "} @",
    ],
)
def test_the_answer_is_found_whatever_stands_around_it(around: str) -> None:
    assert find_answer(around.replace("@", SAID), CODE) == ANSWER


def test_the_order_of_members_makes_no_other_object() -> None:
    assert find_answer(f"{SAID} {json.dumps(dict(reversed(ANSWER.items())))}", CODE) == ANSWER


@pytest.mark.parametrize("marker", ["</think>", "<|channel|>final<|message|>", "<|im_end|>"])
def test_a_mention_that_reads_like_a_marker_cuts_nothing(marker: str) -> None:
    answer = {"id": CODE, "entities": [ADA | {"text": marker}]}
    said = json.dumps(answer)
    assert find_answer(said, CODE) == answer
    assert find_answer(f"<think>{DRAFT}</think>{said}", CODE) == answer


def test_a_line_break_in_a_string_need_not_be_escaped() -> None:
    said = f'{{"id": "{CODE}", "entities": [], "note": "a\nb\tc"}}'
    assert find_answer(said, CODE)["note"] == "a\nb\tc"


@pytest.mark.parametrize(
    "said",
    [
        SAID + DRAFT,
        f"```json\n{SAID}\n```\nOr rather:\n{DRAFT}",
        f"<think>Hm</think>{DRAFT} {SAID}",
        f"<think>{SAID} {DRAFT}</think>",
    ],
)
def test_two_different_objects_are_refused(said: str) -> None:
    assert "two different" in refuse(said)


@pytest.mark.parametrize(
    "said",
    [
        f"<think>{DRAFT}</think>" + SAID[:-3],
        f"<think>{DRAFT}</think>I cannot help with that.",
        f"<|channel|>analysis<|message|>{DRAFT}<|channel|>final<|message|>Sorry.",
    ],
)
def test_a_draft_is_no_answer_where_something_else_is_said_after_it(said: str) -> None:
    refuse(said)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Sorry.",
        SAID[:-1],
        SAID[1:],
        json.dumps(SAID),
        SAID.replace("]", ", NaN]"),
        SAID.replace('"entities"', '"entities": [], "entities"'),
        "{" * 30_000,
        '{"id":' * 10_000,
    ],
)
def test_what_holds_no_answer_is_refused(said: str) -> None:
    refuse(said)


@pytest.mark.parametrize("identity", ["ffffffff", None, 7, [CODE], CODE.upper()])
def test_an_object_with_another_code_does_not_count(identity: Any) -> None:
    said = json.dumps({"id": identity, "entities": []})
    assert "another text" in refuse(said)
    assert find_answer(said + SAID, CODE) == ANSWER


HOSTILE = [
    "{",
    '{"',
    '{"a":',
    '{"a":[',
    '{"a":{"b":"',
    '{"a":1,"a":1}',
    '{"a":NaN}',
    f'{{"id":"{CODE}",',
    "</think>",
    "<|channel|>final",
    "```",
    "<|",
    "{ ",
    '{"a":"\\',
    '{"a":' + "9" * 4400 + "}",
]


def test_hostile_answers_take_no_more_work_than_a_fixed_share_of_their_length() -> None:
    """CPU seconds, in a process of its own: quadratic work would take minutes."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\n"
        "from schemas.errors import InvalidAnswerError\n"
        "from stream.teacher.extraction import find_answer\n"
        f"for part in {HOSTILE!r}:\n"
        "    try: find_answer((part * 100_000)[:100_000], '0123abcd')\n"
        "    except InvalidAnswerError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.split() == [b"refused"] * len(HOSTILE)


@settings(max_examples=200)
@given(st.text(alphabet='{}[]"\\:,aid </think>|`\n0', max_size=80))
def test_prose_of_any_kind_before_the_end_of_thinking_changes_nothing(thought: str) -> None:
    assert find_answer(f"{thought}</think>```json\n{SAID}\n```", CODE) == ANSWER
