from __future__ import annotations

from dataclasses import replace

from distill.labels.fold import answers, fold_texts, in_fold, in_force_since_ms, judges_first
from distill.testing.fakes import ListJournal
from schemas.errors import BrokerUnavailableError
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity, RoutingPolicy, text_digest
from stream.testing.messages import a_label, a_promotion

TEXTS = [f"{chr(97 + i % 26)}{chr(97 + i // 26)} sings" for i in range(400)]
JUDGING = [text for text in TEXTS if in_fold(text)]
NO_AUDITS = RoutingPolicy(0.9, 0.0, 0)


class Clocked(ListJournal):
    """The last `n_new` texts came after any time."""

    n_new = 0

    def newest_texts(self, n: int, *, since_ms: int = 0) -> list[str]:
        texts = super().newest_texts(n)
        return texts[len(texts) - self.n_new :] if since_ms else texts


def journal(*, n_new: int) -> Clocked:
    made = Clocked()
    made.texts, made.n_new = list(TEXTS), n_new
    return made


def test_half_of_the_texts_judge_first_and_those_that_are_alike_together() -> None:
    assert 160 < len(JUDGING) < 240
    assert all(in_fold("Order 17  came") == in_fold(f"order {n} CAME") for n in range(20))


def test_only_what_the_teacher_said_since_the_champion_judges_first() -> None:
    inside, outside = JUDGING[0], next(text for text in TEXTS if text not in JUDGING)
    label = a_label(text=inside, source="teacher", audit=False, labelled_at_ms=11)
    assert judges_first(label, since_ms=10)
    assert judges_first(replace(label, source="judging"), since_ms=10)
    for other in (
        replace(label, text=outside),
        replace(label, labelled_at_ms=10),
        replace(label, source="human"),
        replace(label, source="bootstrap"),
        replace(label, audit=True),
    ):
        assert not judges_first(other, since_ms=10)


def test_another_policy_for_the_champion_teaches_it_nothing() -> None:
    before = a_promotion(student_version="v1", promoted_at_ms=5)
    first = a_promotion(student_version="v2", promoted_at_ms=10)
    policy = replace(first, action="policy", sequence=3, promoted_at_ms=20)
    assert in_force_since_ms(policy, [before, first, policy]) == 10
    assert in_force_since_ms(first, []) == 10


def test_texts_of_the_fold_that_are_neither_learnt_nor_audits_judge() -> None:
    closed = {text_digest(JUDGING[0])}
    found = fold_texts(journal(n_new=400), 400, since_ms=10, closed=closed, policies=[NO_AUDITS])
    assert [one.text for one in found] == JUDGING[1:]
    all_audits = replace(NO_AUDITS, audit_share=1.0)
    assert not fold_texts(
        journal(n_new=400), 400, since_ms=10, closed=closed, policies=[NO_AUDITS, all_audits]
    )


def test_texts_from_before_the_champion_judge_only_where_no_clock_knows_newer_ones() -> None:
    newer = fold_texts(journal(n_new=100), 400, since_ms=10, closed=set(), policies=[])
    assert [one.text for one in newer] == [text for text in TEXTS[300:] if in_fold(text)]
    none = fold_texts(journal(n_new=0), 400, since_ms=10, closed=set(), policies=[])
    assert [one.text for one in none] == JUDGING


def test_twice_as_many_texts_are_read_as_the_fold_is_to_have() -> None:
    found = fold_texts(journal(n_new=400), 100, since_ms=10, closed=set(), policies=[])
    assert [one.text for one in found] == [text for text in TEXTS[200:] if in_fold(text)]


def test_a_text_topic_that_cannot_be_read_stops_no_round() -> None:
    away = journal(n_new=400)
    away.unreadable = BrokerUnavailableError("away")
    assert fold_texts(away, 100, since_ms=10, closed=set(), policies=[]) == []


def test_answers_from_before_a_label_was_added_do_not_judge() -> None:
    then = Task("people", "en", (LabelSpec("PER"),))
    now = Task("people", "en", (LabelSpec("PER"), LabelSpec("ORG", added=True)))
    ada = (Entity(0, 3, "PER", "Ada"),)
    old = a_label(task="people", text="Ada sings", entities=ada, task_digest=then.digest)
    new = replace(old, text="Ada hums", task_digest=now.digest)
    assert answers([old, new], now) == {"Ada hums": {(0, 3, "PER")}}


def test_no_producer_gives_more_of_the_judging_texts_than_its_quota() -> None:
    sent = journal(n_new=400)
    honest = JUDGING[:30]
    sent.producers = {text: f"p{n % 3}" for n, text in enumerate(honest)}
    sent.producers |= dict.fromkeys(JUDGING[30:], "flooder")
    found = fold_texts(sent, 400, since_ms=10, closed=set(), policies=[], quota=0.25)
    assert len([one for one in found if one.text in honest]) == 30
    assert len(found) == 40
