"""What the teach role tells of its health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.settings import Settings, TeacherEndpoint
from stream.frame.health import RoleHealth
from stream.teacher.retries import Outage
from stream.watch.metrics import CircuitState


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachState:
    """What was seen of the role, now.

    `busy_s` tells for how long the batch under way has been (0 without one), `untried_s` for
    how long the teacher has not been tried, `arriving` whether deliveries are confirmed,
    `refused` why the teacher takes no requests of ours, `outage` why it is asked nothing for now,
    `batched` how many requests wait for a batch.
    """

    partitions: Sequence[int]
    lags: Mapping[int, int]
    standstill_s: float
    busy_s: float
    untried_s: float
    reachable: bool
    arriving: bool
    refused: str | None = None
    outage: Outage | None = None
    batched: int = 0


_TRANSFER_S = 600.0
"""As long as the file of a batch may take, up or down."""


def teach_health(state: TeachState, settings: Settings) -> RoleHealth:
    """Ready with partitions, brokers that answer, deliveries that arrive, and no refusal of us.

    Live while it gets further, or while the brokers are away: then a restart would not help.
    """
    stall_s = settings.kafka.stall_timeout_s
    # A batch may wait for hours for a busy teacher, as long as it goes on trying.
    quiet_s = min(state.busy_s, state.untried_s)
    longest_s = max(map(_longest_quiet_s, (settings.teacher, *settings.teachers)))
    if "stream" in settings.teacher.batch.purposes:
        longest_s += settings.teacher.batch.poll_s + _TRANSFER_S
    trying = quiet_s < stall_s + longest_s
    return RoleHealth(
        ready=(
            bool(state.partitions) and state.reachable and state.arriving and state.refused is None
        ),
        live=(trying and state.standstill_s < stall_s) or not state.reachable,
        facts={
            "teach_partitions": [*state.partitions],
            "teach_lag": {str(partition): lag for partition, lag in state.lags.items()},
            "teach_busy_s": round(state.busy_s, 1),
            "teach_batched": state.batched,
            "teach_broker_reachable": state.reachable,
            "teach_refused": state.refused,
            "teach_circuit": circuit_state(state.outage),
            "teach_outage": state.outage.why if state.outage else None,
        },
    )


def circuit_state(outage: Outage | None) -> CircuitState:
    """Say in a word whether the teacher is asked."""
    if outage is None:
        return "closed"
    return "refused" if outage.refuses else "open"


def _longest_quiet_s(teacher: TeacherEndpoint) -> float:
    """Between two tries: one wait, which is a wish and a backoff, and one call."""
    call_s = teacher.connect_timeout_s + teacher.read_timeout_s
    return 2 * teacher.max_retry_wait_s + call_s
