from __future__ import annotations

from collections.abc import Callable

import pytest

from distill.labels.unlabelled import newest_unlabelled
from distill.testing.fakes import ListJournal
from schemas.audit import in_audit
from schemas.errors import BrokerUnavailableError, TopicError
from schemas.types import RoutingPolicy, SilverLabel, text_digest

MakeLabel = Callable[..., SilverLabel]


def test_what_is_known_or_was_labelled_meanwhile_is_left_out(make_label: MakeLabel) -> None:
    journal = ListJournal([make_label("labelled meanwhile")])
    journal.texts = ["too old", "one", "labelled meanwhile", "gold", "two", "one"]
    known = frozenset({text_digest("gold")})
    assert newest_unlabelled(journal, 5, known=known, policies=()) == ["one", "two"]


def test_audits_by_any_policy_are_left_out() -> None:
    journal = ListJournal()
    journal.texts = [f"text {i}" for i in range(200)]
    policies = [RoutingPolicy(0.5, 0.1, seed) for seed in (7, 8)]
    audits = {
        text
        for text in journal.texts
        if any(in_audit(text_digest(text), policy) for policy in policies)
    }
    assert len(audits) > 20
    found = newest_unlabelled(journal, 200, known=frozenset(), policies=policies)
    assert set(found) == set(journal.texts) - audits


@pytest.mark.parametrize("error", [TopicError("another owner's"), BrokerUnavailableError("away")])
def test_a_topic_that_cannot_be_read_gives_no_texts(error: Exception) -> None:
    journal = ListJournal()
    journal.unreadable = error
    assert newest_unlabelled(journal, 5, known=frozenset(), policies=()) == []
