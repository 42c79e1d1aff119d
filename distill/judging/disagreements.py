"""Who is right where a new student and the teacher disagree, as far as gold tells.

Gold texts are never trained on. Those that the teacher answered, in the stream or since somebody
let `silverstream bootstrap` ask about them, show how reliable both are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from distill.labels.judges import Judges
from schemas.files.manifest import Manifest
from schemas.types import SilverLabel, Tagging, facts
from stream.teacher.reliability import NOTHING_KNOWN, Reliability, measured


def measured_reliability(
    taggings: Sequence[Tagging],
    judges: Judges,
    labels: Iterable[SilverLabel],
    manifest: Manifest,
) -> Reliability:
    """Count the disagreements on gold; nothing is known without gold, or answers about it.

    `taggings` are the student's of the judges' records, in order; `manifest` is that student's.
    Only the teacher who answered last counts, by model and prompt, and answers to this very task.
    """
    if not judges.digest:
        return NOTHING_KNOWN
    answers = [x for x in labels if x.teacher_model and x.task_digest == manifest.task_digest]
    if not answers:
        return NOTHING_KNOWN
    newest = max(answers, key=lambda label: label.labelled_at_ms)
    of_text = {x.text: x for x in answers if _teacher(x) == _teacher(newest)}
    known = measured(
        (
            (tagging, of_text[example.text], facts(example))
            for tagging, example in zip(taggings, judges.examples, strict=True)
            if example.text in of_text and not example.unasked
        ),
        choose_one=manifest.choose == "one",
    )
    return known.beside(newest.teacher_model, newest.prompt_version)


def _teacher(label: SilverLabel) -> tuple[str, str]:
    return label.teacher_model, label.prompt_version
