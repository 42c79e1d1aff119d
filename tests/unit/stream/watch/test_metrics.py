from __future__ import annotations

import sqlite3
from types import SimpleNamespace
from typing import get_args

import pytest

from stream.watch.metrics import MetricName, Metrics


def _sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_every_name_follows_the_convention_and_is_shown() -> None:
    metrics = Metrics()
    metrics.watch_spend(lambda: SimpleNamespace(calls=1, tokens_in=2, tokens_out=3, usd=0.5))
    metrics.watch_lag(dict)
    metrics.watch_circuit(lambda: ("closed", 8))
    described = {
        f"{m.name}_total" if m.type == "counter" else m.name for m in metrics.registry.collect()
    }
    ours = {name for name in described if name.startswith("silverstream_")}
    assert ours == set(get_args(MetricName))


def test_wanted_and_granted_are_counted_apart() -> None:
    metrics = Metrics()
    metrics.routed(records=100, wanted=30, granted=10, audits=2)
    assert _sample(metrics, "silverstream_wanted_records_total") == 30
    assert _sample(metrics, "silverstream_granted_records_total") == 10
    assert _sample(metrics, "silverstream_audit_records_total") == 2
    assert _sample(metrics, "silverstream_wanted_share_ratio") == pytest.approx(0.3)
    assert _sample(metrics, "silverstream_deferred_share_ratio") == pytest.approx(0.1)


def test_shares_forget_what_is_long_past() -> None:
    metrics = Metrics()
    metrics.routed(records=2000, wanted=2000, granted=2000, audits=0)
    for _ in range(20):
        metrics.routed(records=100, wanted=10, granted=0, audits=0)
    assert _sample(metrics, "silverstream_wanted_share_ratio") == pytest.approx(0.1)
    assert _sample(metrics, "silverstream_deferred_share_ratio") == 0


def test_a_batch_without_records_leaves_the_shares_at_nothing() -> None:
    metrics = Metrics()
    metrics.routed(records=0, wanted=0, granted=0, audits=0)
    assert _sample(metrics, "silverstream_wanted_share_ratio") == 0


def test_only_the_student_that_serves_is_named() -> None:
    metrics = Metrics()
    metrics.serving(version="v1", digest="a")
    metrics.serving(version="v2", digest="b")
    assert _sample(metrics, "silverstream_student_info", version="v1", digest="a") is None
    assert _sample(metrics, "silverstream_student_info", version="v2", digest="b") == 1


def test_the_teachers_bill_is_read_from_the_ledger_at_each_scrape() -> None:
    metrics, spend = Metrics(), SimpleNamespace(calls=1, tokens_in=10, tokens_out=2, usd=0.25)
    metrics.watch_spend(lambda: spend)
    spend.usd = 0.75
    assert _sample(metrics, "silverstream_teacher_usd_total") == 0.75
    assert _sample(metrics, "silverstream_teacher_tokens_total", direction="in") == 10
    assert b"silverstream_teacher_calls_total 1.0" in metrics.render()


def test_the_teachers_bill_is_shown_when_its_ledger_is_closed() -> None:
    metrics, ledger = Metrics(), [SimpleNamespace(calls=3, tokens_in=0, tokens_out=0, usd=0.0)]

    def totals() -> SimpleNamespace:
        if not ledger:
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
        return ledger[0]

    metrics.watch_spend(totals)
    ledger.clear()
    assert b"silverstream_teacher_calls_total 3.0" in metrics.render()


def test_lag_is_read_at_each_scrape() -> None:
    metrics, lags = Metrics(), {0: 5}
    metrics.watch_lag(lambda: lags)
    assert _sample(metrics, "silverstream_lag_records", partition="0") == 5
    lags[0] = 9
    assert _sample(metrics, "silverstream_lag_records", partition="0") == 9
    lags.clear()
    assert _sample(metrics, "silverstream_lag_records", partition="0") is None
