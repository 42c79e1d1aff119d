"""A range of time, as people write it: ISO 8601, or milliseconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.errors import ConfigError

TIME = "ISO 8601, in UTC unless it says otherwise, or milliseconds since 1970"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `from_ms` up to, not including, `to_ms`, milliseconds since the epoch."""

    from_ms: int
    to_ms: int

    def __contains__(self, timestamp_ms: object) -> bool:
        """Whether a record of this timestamp is of the range."""
        return isinstance(timestamp_ms, int) and self.from_ms <= timestamp_ms < self.to_ms


def time_range(since: str, until: str) -> TimeRange:
    """Read both ends; `ConfigError` for what is no time, or no range."""
    times = TimeRange(_milliseconds(since, "--from"), _milliseconds(until, "--to"))
    if times.from_ms >= times.to_ms:
        raise ConfigError(f"--from {since} is not before --to {until}")
    return times


def _milliseconds(told: str, option: str) -> int:
    if told.isascii() and told.isdecimal() and len(told) != len("20260131"):
        return int(told)
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        raise ConfigError(f"{option} {told}: not a time ({TIME})") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
