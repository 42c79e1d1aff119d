"""The story of a session up to its files: what is asked, in which order, and what is paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from rich.text import Text

from schemas.errors import (
    AnswerError,
    BudgetExhaustedError,
    ConfigError,
    TeacherUnavailableError,
)
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.types import text_digest
from stream.cli.painting import annotated_line, harmless
from stream.cli.wizard.asking import Ask, Interview, yes_or_no
from stream.cli.wizard.desk import Desk, usd_words
from stream.cli.wizard.draft import GRAMMAR, Draft, edited
from stream.cli.wizard.truths import Truth, agrees, as_shown, divided, read_truth, words_of
from stream.cli.wizard.wish import Wish, read_labels
from stream.teacher.kinds.said import Said
from stream.teacher.writing.suggesting import Sought

FIRST_TEXTS = 6
Labelled: TypeAlias = Mapping[str, Said]
_KEY_DIGITS = 12
_TROUBLES = (AnswerError, TeacherUnavailableError, BudgetExhaustedError)


@dataclass(frozen=True, slots=True)
class Checked:
    """What the first labelled texts came to.

    `agreed` counts those of the `seen` texts of which the teacher says what the person does.
    """

    task: Task
    gold: tuple[Truth, ...] = ()
    seen: int = 0
    agreed: int = 0


@dataclass(frozen=True, slots=True)
class Story:
    """What is told once the free questions are answered."""

    interview: Interview
    desk: Desk
    wish: Wish

    def drafted(self) -> Draft:
        """Let the teacher suggest what the task says, and the person decide; raises as `ask`."""
        draft = self._suggested()
        if not draft.labels:
            draft = replace(draft, labels=self._labels_again())
        number = 1
        while True:
            self.interview.tell(_shown(draft))
            after = self._changed(draft, number)
            if after is draft:
                return draft
            draft, number = after, number + 1

    def checked(self, draft: Draft) -> Checked:
        """Show the first labelled texts, ask whether they are right, and learn from what is not."""
        given = _given_truths(self.wish)
        task = self._task(draft, given)
        texts = self._first_texts(task)
        labelled = self._labelled(task, texts) if texts else {}
        truths = [*given, *self._judged(task, labelled)]
        asked = [one for one in truths if one.text in labelled]
        draft, labelled = self._instructed(draft, labelled, asked, given)
        shown, gold = divided(truths)
        draft = replace(draft, examples=as_shown(shown))
        return Checked(draft.task(self.wish), tuple(gold), len(asked), _agreed(labelled, asked))

    def _changed(self, draft: Draft, number: int) -> Draft:
        def read(told: object) -> Draft:
            return edited(draft, str(told), self.wish) if str(told).strip() else draft

        words = "Right so? Enter, or a change (? says how)"
        found: Draft = self.interview.ask(Ask(f"change {number}", words, read, "", hint=GRAMMAR))
        return found

    def _suggested(self) -> Draft:
        wish = self.wish
        sought = Sought(wish.kind, wish.language, wish.looking_for, wish.labels, wish.texts)
        plain = Draft(wish.labels)
        words = "Shall the teacher suggest descriptions, edge cases and what is not meant?"
        if not self._paid("suggestions", words, self.desk.suggestions_usd(sought)):
            return plain
        try:
            found = self.desk.suggestions(sought)
            draft = Draft(found.labels, found.edge_cases, found.negatives)
            draft.task(wish)
        except (*_TROUBLES, ConfigError) as error:
            self.interview.person.tell(f"  No suggestions: {error}")
            return plain
        return draft

    def _labels_again(self) -> tuple[LabelSpec, ...]:
        def read(told: object) -> tuple[LabelSpec, ...]:
            labels = read_labels(told, kind=self.wish.kind, choose=self.wish.choose)
            if not labels:
                raise ValueError("a task needs at least one label")
            return labels

        words = "So how shall the labels be called? (with commas)"
        found: tuple[LabelSpec, ...] = self.interview.ask(Ask("labels again", words, read))
        return found

    def _task(self, draft: Draft, given: Sequence[Truth]) -> Task:
        shown, _ = divided(given)
        return replace(draft, examples=as_shown(shown)).task(self.wish)

    def _first_texts(self, task: Task) -> list[str]:
        """Give the person's own texts without labels, and some that the teacher writes."""
        own = [one for one in self.wish.examples if isinstance(one, str)]
        n = min(FIRST_TEXTS, self.wish.n_texts)
        if not own and not n:
            return []
        usd = self.desk.labels_usd(task, own) + (self.desk.texts_usd(task, n) if n else 0.0)
        what = [f"write {n} texts"] if n else []
        what += [f"label your {len(own)}"] if own else []
        words = f"Shall the teacher {' and '.join(what)}, for you to say whether it is right?"
        if not self._paid("first texts", words, usd):
            return []
        try:
            written = self.desk.texts(task, n) if n else []
        except _TROUBLES as error:
            self.interview.person.tell(f"  No texts: {error}")
            written = []
        given = {one.text for one in _given_truths(self.wish)}
        return [text for text in dict.fromkeys([*own, *written]) if text not in given]

    def _labelled(self, task: Task, texts: Sequence[str]) -> Labelled:
        try:
            found = self.desk.labels(task, texts)
        except _TROUBLES as error:
            self.interview.person.tell(f"  No labels: {error}")
            return {}
        return {text: said for text, said in found.items() if said is not None}

    def _judged(self, task: Task, labelled: Labelled) -> list[Truth]:
        """Show text by text, and ask; nobody's word makes gold but a person's."""
        truths = list[Truth]()
        for number, (text, said) in enumerate(labelled.items(), start=1):
            line = annotated_line(text, said, task.label_names)
            self.interview.tell(Text(f"{number}/{len(labelled)}  ").append(line))
            key = text_digest(text)[:_KEY_DIGITS]
            words = "Right? y, n, or s to skip it"
            verdict = self.interview.ask(Ask(f"right {key}", words, _verdict, "y", unattended="s"))
            if verdict == "y":
                truths.append(Truth(text, said))
            elif verdict == "n":
                truths.append(Truth(text, self._corrected(task, text, said), corrected=True))
        return truths

    def _corrected(self, task: Task, text: str, said: Said) -> Said:
        how = (
            "LABEL: words; LABEL: words"
            if task.kind == "entities"
            else f"of {', '.join(map(harmless, task.label_names))}"
        )
        ask = Ask(
            f"instead {text_digest(text)[:_KEY_DIGITS]}",
            f"What is right? ({how}; - for nothing) It was: {harmless(words_of(said))}",
            lambda told: read_truth(str(told), text, task),
            hint="words as they stand in the text, with ; between several",
        )
        found: Said = self.interview.ask(ask)
        return found

    def _instructed(
        self, draft: Draft, labelled: Labelled, asked: Sequence[Truth], given: Sequence[Truth]
    ) -> tuple[Draft, Labelled]:
        """Let the person say what to heed, and the teacher try again, until both are content."""
        round_ = 1
        while (n_wrong := len(asked) - _agreed(labelled, asked)) and (
            rule := self._rule(n_wrong, round_)
        ):
            draft = replace(draft, edge_cases=(*draft.edge_cases, rule))
            task, texts = self._task(draft, given), [one.text for one in asked]
            words = "Shall it label them again, by these words?"
            if not self._paid(f"again {round_}", words, self.desk.labels_usd(task, texts)):
                break
            labelled = self._labelled(task, texts)
            right = _agreed(labelled, asked)
            told = f"  Now the teacher says of {right} of {len(asked)} texts what you say."
            self.interview.tell(told)
            round_ += 1
        return draft, labelled

    def _rule(self, n_wrong: int, round_: int) -> str:
        words = (
            f"The teacher is wrong about {n_wrong}. "
            "What shall it heed, in a sentence? (Enter: go on)"
        )
        ask = Ask(f"rule {round_}", words, lambda told: " ".join(str(told).split()), "")
        return str(self.interview.ask(ask))

    def _paid(self, key: str, words: str, usd: float) -> bool:
        """Say what it costs, and what is left, and ask."""
        left = max(self.wish.max_usd - self.desk.spent_usd(), 0.0)
        told = f"{words} (about {usd_words(usd)}, of {usd_words(left)} that are left)"
        agreed: bool = self.interview.ask(Ask(f"pay {key}", told, yes_or_no, default="y"))
        if agreed and usd:
            self.interview.tell("  asking the teacher ...")
        return agreed


def _given_truths(wish: Wish) -> list[Truth]:
    """Take the examples that came with their labels."""
    labelled = [one for one in wish.examples if isinstance(one, TaskExample)]
    return [Truth(one.text, Said(one.entities, one.categories)) for one in labelled]


def _agreed(labelled: Labelled, asked: Sequence[Truth]) -> int:
    return sum(agrees(labelled.get(one.text), one) for one in asked)


def _verdict(told: object) -> str:
    word = str(told).strip().casefold()
    if word[:1] not in {"y", "n", "s"} or word not in {"y", "yes", "n", "no", "s", "skip"}:
        raise ValueError("y, n or s")
    return word[0]


def _shown(draft: Draft) -> Text:
    """Show everything that can be changed, with its number."""
    lines = Text()
    headings = {"labels": "Labels", "edge_cases": "Edge cases", "negatives": "Not meant"}
    part_before = ""
    for number, (part, at) in enumerate(draft.places, start=1):
        if part != part_before:
            lines.append(f"{headings[part]}\n", style="bold")
            part_before = part
        lines.append(f"{number:3}  ", style="dim")
        if part == "labels":
            label = draft.labels[at]
            lines.append(harmless(label.name), style="bold cyan")
            lines.append(f"  {harmless(label.description) or 'not described yet'}")
            if label.examples:
                lines.append(f"  such as {harmless(', '.join(label.examples))}", style="dim")
        else:
            lines.append(harmless(getattr(draft, part)[at]))
        lines.append("\n")
    lines.rstrip()
    return lines
