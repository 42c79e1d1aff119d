"""From the words in use to a version with its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from distill.prompting.evaluation import Sureness
from distill.prompting.improving import Improved, improve
from distill.prompting.parts import Parts
from distill.prompting.search import Targets
from schemas.errors import BudgetExhaustedError
from schemas.files.corpus import Example
from schemas.files.prompt_words import LabelWords, PromptWords
from schemas.types import Category, Fact, facts
from stream.teacher.prompt_edits import Edit, Mistake

WORDS = PromptWords("", (LabelWords("glad"), LabelWords("sad")))


def part(name: str) -> tuple[Example, ...]:
    return tuple(
        Example(f"{name} {n}", f"{name} {n}", (), categories=(Category("sad"),)) for n in range(10)
    )


PARTS = Parts(part("tune"), part("keep"), part("report"))


@dataclass
class Teacher:
    """Is wrong about even texts, until it is told better; writes down when `report` is opened."""

    edits: Sequence[Edit]
    is_free: bool = False
    opened: list[tuple[str, bool]] = field(default_factory=list)
    is_poor: bool = False

    def answers(self, words: PromptWords, examples: Sequence[Example]) -> list[frozenset[Fact]]:
        if examples[0].text.startswith("report"):
            if self.is_poor:
                raise BudgetExhaustedError("spent")
            self.opened.append((words.version, self.is_free))
        knows = "better" in words.guidelines
        return [
            facts(one) if knows or int(one.text[-1]) % 2 else frozenset([(0, 0, "glad")])
            for one in examples
        ]

    def proposals(self, words: PromptWords, mistakes: Sequence[Mistake]) -> Sequence[Edit]:
        return self.edits


def improved(teacher: Teacher) -> Improved:
    def set_free() -> None:
        teacher.is_free = True

    return improve(
        WORDS,
        PARTS,
        teacher,
        kind="categories",
        targets=Targets(1.0, 1.0),
        seed=0,
        sureness=Sureness(resamples=50, confidence=0.9, seed=0),
        now=lambda: "2026-01-02",
        set_free=set_free,
    )


def test_the_report_part_is_opened_once_at_the_end_for_the_words_found() -> None:
    teacher = Teacher([Edit("guidelines", "better")])
    found = improved(teacher)

    assert teacher.opened == [(found.prompt.version, True)]


def test_nothing_that_five_texts_say_is_accepted() -> None:
    found = improved(Teacher([Edit("guidelines", "better")])).as_dict()

    assert (found["version"], found["parent"], found["accepted"]) == (WORDS.version, "", 0)
    assert found["agreement"] is None
    assert found["scores"]["report"]["f1"] == 0.5
    assert [trial["accepted"] for trial in found["trials"]] == [False]


def test_a_version_names_its_parent_why_and_its_scores() -> None:
    parts = Parts(PARTS.tune, (*part("keep"), *part("keep more")), PARTS.report)
    teacher = Teacher([Edit("guidelines", "better", why="even texts")])
    found = improve(
        WORDS,
        parts,
        teacher,
        kind="categories",
        targets=Targets(1.0, 1.0),
        seed=0,
        sureness=Sureness(resamples=50, confidence=0.9, seed=0),
        now=lambda: "2026-01-02",
        set_free=lambda: None,
    )

    assert found.prompt.parent == WORDS.version
    assert found.prompt.why == ("guidelines rewritten (even texts)",)
    assert found.prompt.made_at == "2026-01-02"
    assert {x: found.prompt.scores[x]["records"] for x in ("tune", "keep", "report")} == {
        "tune": 10,
        "keep": 20,
        "report": 10,
    }
    assert found.prompt.scores["keep"]["f1"] == 1.0
    assert "per_label" not in found.prompt.scores["keep"]
    assert found.prompt.agreement == 0.5
    assert found.as_dict()["accepted"] == 1


def test_a_part_that_could_not_be_asked_about_has_no_score() -> None:
    found = improved(Teacher([], is_poor=True)).as_dict()

    assert found["scores"]["report"] is None
    assert found["scores"]["keep"]["f1"] == 0.5
