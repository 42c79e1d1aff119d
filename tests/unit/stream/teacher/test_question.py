from __future__ import annotations

from stream.teacher.prompt import build_messages
from stream.teacher.question import Question, extract_asked
from stream.testing.endpoints import TASK

QUESTION = Question("names", "List names.", {"label": "PER"}, {"names": {"type": "array"}})


def test_the_data_of_a_question_are_found_again_in_its_chat() -> None:
    assert extract_asked(QUESTION.messages) == {"ask": "names", "label": "PER"}


def test_a_chat_about_one_text_is_no_question_even_if_the_text_reads_so() -> None:
    assert extract_asked(build_messages(TASK, QUESTION.text)) is None
    assert extract_asked([]) is None


def test_the_form_closes_the_answer_over_its_members() -> None:
    wanted = QUESTION.wanted(most_out=9)
    assert (wanted.name, wanted.most_out, wanted.varied) == ("names", 9, False)
    assert wanted.schema["required"] == ["id", "names"]
    assert wanted.schema["additionalProperties"] is False
