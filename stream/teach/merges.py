"""What is known of student and teacher, as promotions tell it, applied to the teacher's answers."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.types import Promotion, TeacherRequest
from stream.teacher.merging import Merged, merged
from stream.teacher.protocol import Answer
from stream.teacher.reliabilities import NOBODY_KNOWN, Reliabilities, reliabilities_in


class Merges:
    """Merges answers with what the request's student said; a `stream.teach.answering.Merge`.

    What was measured of one student says nothing of another, and beside one teacher nothing of
    another: the answer of a model, or to a prompt, that the promotion does not name stands.
    """

    def __init__(self, *, choose_one: bool) -> None:
        self._choose_one = choose_one
        self._known: dict[str, Reliabilities] = {}

    def take(self, promotions: Iterable[Promotion]) -> None:
        """Take note of promotions, in their order."""
        for promotion in promotions:
            self._known[promotion.student_version] = reliabilities_in(promotion.metrics)

    def __call__(self, request: TeacherRequest, answer: Answer) -> Merged | None:
        """Merge; None where the teacher's answer stands."""
        of_student = self._known.get(request.student_version, NOBODY_KNOWN)
        known = of_student.of(request.confidence)
        if (known.model, known.prompt_version) != (answer.model, answer.prompt_version):
            return None
        return merged(request, answer, known, choose_one=self._choose_one)
