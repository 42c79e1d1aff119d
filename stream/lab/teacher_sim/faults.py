"""What can go wrong with a simulated teacher, and how often it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from schemas.errors import ConfigError
from stream.lab.teacher_sim.dialects import DIALECTS
from stream.teacher.rate_limits import Kind

Fault = Literal[
    "400",  # the request is wrong
    "401",  # the key is wrong
    "429",  # too many requests
    "500",  # the server failed
    "malformed",  # content that is not JSON
    "truncated",  # cut off at the token limit
    "refusal",  # the model declines
    "filtered",  # a content filter stopped the answer
    "null",  # no content at all
    "swapped",  # the answer to another request
    "mislabelled",  # a right answer in all but its labels, which are others
    "missing-part",  # of an answer about several texts, that about the last
    "doubled-part",  # of such an answer, that about the first again, and otherwise
    "misnumbered-part",  # of such an answer, the numbers of the first two exchanged
    "html",  # a proxy's page with status 200
    "redirect",  # to another address
    "drip",  # one byte at a time
    "hang",  # no answer, ever
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
BatchFault = Literal[
    "expire",  # a line that nobody came to
    "lose",  # a line that is in no file
    "double",  # a line that is there twice
    "strange",  # a line beside it, of no request
    "refuse",  # of whole batches: not begun
]
BATCH_FAULTS: tuple[BatchFault, ...] = get_args(BatchFault)


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """How the simulated teacher behaves.

    An answer takes `latency_s`, give or take the share `jitter` of it. More than
    `requests_per_s` get 429, and so do more requests and tokens than `per_minute`, of which headers
    tell. `faults` gives the share of requests that meet each fault;
    together they are at most 1. Of `dialects` each request that meets none gets one by lot; without
    any, answers are as OpenAI's. `retry_after` is the header sent with 429, if any.

    A batch takes `batch_s`; `batch_faults` gives the share of its lines that meet each fault of
    batches, beside `faults`.
    """

    latency_s: float = 0.0
    jitter: float = 0.0
    requests_per_s: float | None = None
    per_minute: Mapping[Kind, float] = field(default_factory=dict)
    faults: Mapping[Fault, float] = field(default_factory=dict)
    dialects: tuple[str, ...] = ()
    retry_after: str | None = "1"
    drip_s: float = 0.05
    seed: int = 0
    batch_s: float = 0.0
    batch_faults: Mapping[BatchFault, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := set(self.faults) - set(FAULTS):
            raise ConfigError(f"no fault {min(unknown)!r}; there are {', '.join(FAULTS)}")
        if others := set(self.batch_faults) - set(BATCH_FAULTS):
            raise ConfigError(
                f"no fault of batches {min(others)!r}; there are {', '.join(BATCH_FAULTS)}"
            )
        if not all(0 <= share <= 1 for share in self.batch_faults.values()):
            raise ConfigError("the shares of the faults of batches must be from 0 to 1")
        if strange := set(self.dialects) - set(DIALECTS):
            raise ConfigError(f"no dialect {min(strange)!r}; --list-dialects shows those there are")
        shares = self.faults.values()
        if not all(share >= 0 for share in shares) or sum(shares) > 1 + 1e-9:
            raise ConfigError("the shares of the faults must be 0 or more, and at most 1 together")
        if not (self.batch_s >= 0 and self.latency_s >= 0 and 0 <= self.jitter <= 1):
            raise ConfigError("the latencies must be 0 or more, the jitter between 0 and 1")
        if self.requests_per_s is not None and not self.requests_per_s > 0:
            raise ConfigError("the requests per second must be above 0")
        if not all(most >= 1 for most in self.per_minute.values()):
            raise ConfigError("the requests and tokens a minute must be 1 or more")
