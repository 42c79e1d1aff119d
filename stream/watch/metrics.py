"""Prometheus metrics: one set per worker, on a registry of its own.

Wanted and granted are counted apart: drift is read from what is wanted, the
bill from what was granted.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Literal, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from schemas.types import Promise
from stream.kafka.signatures import refused_records

MetricName = Literal[
    "silverstream_records_total",
    "silverstream_deletes_total",
    "silverstream_expired_records_total",
    "silverstream_batches_total",
    "silverstream_events_total",
    "silverstream_wanted_records_total",
    "silverstream_granted_records_total",
    "silverstream_audit_records_total",
    "silverstream_wanted_share_ratio",
    "silverstream_deferred_share_ratio",
    "silverstream_dead_letters_total",
    "silverstream_retries_total",
    "silverstream_lag_records",
    "silverstream_assigned_partitions",
    "silverstream_batch_seconds",
    "silverstream_tagging_seconds",
    "silverstream_requests_total",
    "silverstream_request_seconds",
    "silverstream_refused_share_ratio",
    "silverstream_batched_requests",
    "silverstream_labels_total",
    "silverstream_teacher_calls_total",
    "silverstream_teacher_tokens_total",
    "silverstream_teacher_usd_total",
    "silverstream_teacher_circuit_info",
    "silverstream_teacher_in_flight_calls",
    "silverstream_student_info",
    "silverstream_swaps_total",
    "silverstream_swap_failures_total",
    "silverstream_rounds_total",
    "silverstream_promise_state_info",
    "silverstream_promise_bound_ratio",
    "silverstream_refused_records_total",
    "silverstream_canaries_total",
    "silverstream_canary_state_info",
]
"""Every name that `/metrics` may show, besides `process_*`."""

CircuitState = Literal["closed", "open", "refused"]
"""Whether the teacher is asked; `refused`: not, for it refuses us and no text."""

_SHARE_WINDOW_RECORDS = 2000
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Spend(Protocol):
    """What the teacher has cost so far; the ledger's totals."""

    @property
    def calls(self) -> int: ...  # noqa: D102 - named by the class
    @property
    def tokens_in(self) -> int: ...  # noqa: D102 - as above
    @property
    def tokens_out(self) -> int: ...  # noqa: D102 - as above
    @property
    def usd(self) -> float: ...  # noqa: D102 - as above


class Metrics:
    """All metrics of one worker; `render` gives what `/metrics` answers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._add_lane_metrics()
        self._add_routing_metrics()
        self._add_teacher_metrics()
        self._add_student_metrics()
        self.registry.register(_RefusedCollector())

    def render(self) -> bytes:
        """Return the text format of Prometheus."""
        return generate_latest(self.registry)

    def routed(self, *, records: int, wanted: int, granted: int, audits: int) -> None:
        """Count a batch of routed records, and renew the shares of the last 2,000."""
        self.wanted.inc(wanted)
        self.granted.inc(granted)
        self.audits.inc(audits)
        total = self._window.add(records, wanted, granted)
        self.wanted_share.set(total[1] / total[0] if total[0] else 0.0)
        self.deferred_share.set(total[2] / total[0] if total[0] else 0.0)

    def serving(self, *, version: str, digest: str) -> None:
        """Name the student that serves now."""
        self.student.clear()
        self.student.labels(version=version, digest=digest).set(1)

    def promising(self, promise: Promise) -> None:
        """Tell how the promise stands, and what is known to hold."""
        self.promise_state.clear()
        self.promise_state.labels(state=promise.state).set(1)
        self.promise_bound.set(promise.bound)

    def watch_spend(self, totals: Callable[[], Spend]) -> None:
        """Show the ledger's totals, read at each scrape: other processes may spend from it too."""
        self.registry.register(_SpendCollector(totals))

    def watch_circuit(self, look: Callable[[], tuple[CircuitState, int]]) -> None:
        """Show whether the teacher is asked, and by how many calls side by side at most."""
        self.registry.register(_CircuitCollector(look))

    def watch_lag(self, lags: Callable[[], Mapping[int, int]]) -> None:
        """Show the lag of each partition, read at each scrape: a lane that stands has it too."""
        self.registry.register(_LagCollector(lags))

    def _add_lane_metrics(self) -> None:
        self.records = self._counter("silverstream_records_total", "Input records read.")
        self.deletes = self._counter(
            "silverstream_deletes_total", "Records without a value, passed over."
        )
        self.expired = self._counter(
            "silverstream_expired_records_total", "Records gone before they were read."
        )
        self.batches = self._counter("silverstream_batches_total", "Batches finished.")
        self.dead_letters = self._counter(
            "silverstream_dead_letters_total", "Records dead-lettered.", ["code"]
        )
        self.retries = self._counter("silverstream_retries_total", "Batches begun anew.")
        self.assigned = self._gauge("silverstream_assigned_partitions", "Partitions held.")
        self.batch_seconds = self._histogram(
            "silverstream_batch_seconds", "From fetching a batch to its commit."
        )
        self.tagging_seconds = self._histogram(
            "silverstream_tagging_seconds", "Waiting for and running the student, per batch."
        )

    def _add_routing_metrics(self) -> None:
        self.events = self._counter(
            "silverstream_events_total", "Entity events.", ["decided_by", "reason"]
        )
        self.wanted = self._counter("silverstream_wanted_records_total", "Records wanted.")
        self.granted = self._counter("silverstream_granted_records_total", "Records deferred.")
        self.audits = self._counter("silverstream_audit_records_total", "Records in the audit.")
        self.wanted_share = self._gauge(
            "silverstream_wanted_share_ratio", "Share wanted of the last 2,000 records."
        )
        self.deferred_share = self._gauge(
            "silverstream_deferred_share_ratio", "Share deferred of the last 2,000 records."
        )
        self._window = _Window(_SHARE_WINDOW_RECORDS)

    def _add_teacher_metrics(self) -> None:
        self.requests = self._counter(
            "silverstream_requests_total", "Teacher requests finished.", ["outcome"]
        )
        self.request_seconds = self._histogram(
            "silverstream_request_seconds", "Waiting for the teacher, per request."
        )
        self.refused_share = self._gauge(
            "silverstream_refused_share_ratio", "Share refused of the last 100 answers."
        )
        self.batched = self._gauge("silverstream_batched_requests", "Requests of a batch in hand.")
        self.labels = self._counter("silverstream_labels_total", "Silver labels written.")
        self.canaries = self._counter(
            "silverstream_canaries_total", "Canaries asked about.", ["outcome"]
        )
        self.canary_state = self._gauge(
            "silverstream_canary_state_info", "Whether the teacher is who it was.", ["state"]
        )

    def _add_student_metrics(self) -> None:
        self.student = self._gauge(
            "silverstream_student_info", "The student that serves.", ["version", "digest"]
        )
        self.swaps = self._counter("silverstream_swaps_total", "Students taken into service.")
        self.swap_failures = self._counter(
            "silverstream_swap_failures_total", "Promoted students that did not load."
        )
        self.rounds = self._counter(
            "silverstream_rounds_total", "Distill rounds started by this worker.", ["outcome"]
        )

        self.promise_state = self._gauge(
            "silverstream_promise_state_info", "How the promise stands.", ["state"]
        )
        self.promise_bound = self._gauge(
            "silverstream_promise_bound_ratio", "The agreement that is known to hold."
        )

    def _counter(self, name: MetricName, about: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(name, about, labels, registry=self.registry)

    def _gauge(self, name: MetricName, about: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(name, about, labels, registry=self.registry)

    def _histogram(self, name: MetricName, about: str) -> Histogram:
        return Histogram(name, about, registry=self.registry, buckets=_SECONDS)


class _Window:
    """Sums over the batches that hold about the last `size` records."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._batches: deque[tuple[int, int, int]] = deque()
        self._total = (0, 0, 0)

    def add(self, *batch: int) -> tuple[int, int, int]:
        records, wanted, granted = batch
        self._batches.append((records, wanted, granted))
        total = _plus(self._total, batch, 1)
        while total[0] - self._batches[0][0] >= self._size:
            total = _plus(total, self._batches.popleft(), -1)
        self._total = total
        return total


def _plus(total: tuple[int, int, int], batch: Sequence[int], sign: int) -> tuple[int, int, int]:
    records, wanted, granted = batch
    return total[0] + sign * records, total[1] + sign * wanted, total[2] + sign * granted


class _LagCollector(Collector):
    def __init__(self, lags: Callable[[], Mapping[int, int]]) -> None:
        self._lags = lags

    def collect(self) -> Iterable[Metric]:
        name: MetricName = "silverstream_lag_records"
        family = GaugeMetricFamily(name, "Records not yet finished.", labels=["partition"])
        for partition, records in self._lags().items():
            family.add_metric([str(partition)], records)
        yield family


class _RefusedCollector(Collector):
    def collect(self) -> Iterable[Metric]:
        name: MetricName = "silverstream_refused_records_total"
        family = CounterMetricFamily(
            name, "Records read whose signature is missing or wrong.", labels=["topic", "signature"]
        )
        for (topic, signature), n in [*refused_records.items()]:
            family.add_metric([topic, signature], n)
        yield family


class _SpendCollector(Collector):
    def __init__(self, totals: Callable[[], Spend]) -> None:
        self._totals = totals
        self._last = totals()

    def collect(self) -> Iterable[Metric]:
        # The ledger may be locked, or closed by now: the teacher ends before the lanes do.
        with suppress(sqlite3.Error):
            self._last = self._totals()
        spend = self._last
        yield _total("silverstream_teacher_calls_total", "Calls paid for.", spend.calls)
        yield _tokens(spend)
        yield _total("silverstream_teacher_usd_total", "US dollars spent or reserved.", spend.usd)


class _CircuitCollector(Collector):
    def __init__(self, look: Callable[[], tuple[CircuitState, int]]) -> None:
        self._look = look

    def collect(self) -> Iterable[Metric]:
        state, places = self._look()
        info: MetricName = "silverstream_teacher_circuit_info"
        family = GaugeMetricFamily(info, "Whether the teacher is asked.", labels=["state"])
        family.add_metric([state], 1)
        yield family
        name: MetricName = "silverstream_teacher_in_flight_calls"
        yield GaugeMetricFamily(name, "Calls that may run side by side.", value=places)


def _total(name: MetricName, about: str, value: float) -> Metric:
    return CounterMetricFamily(name, about, value=value)


def _tokens(spend: Spend) -> Metric:
    name: MetricName = "silverstream_teacher_tokens_total"
    family = CounterMetricFamily(name, "Tokens billed.", labels=["direction"])
    family.add_metric(["in"], spend.tokens_in)
    family.add_metric(["out"], spend.tokens_out)
    return family
