"""The teacher's memory: an answer cache and a spend ledger in one SQLite file.

The ledger reserves the most that a call can cost before it is made, and books
what it did cost when the bill is known. A reservation that is never settled, because
the process died or the bill got lost, stands: the budget is never overdrawn.

Several processes of one machine may share the file (write-ahead log). What was
committed survives `kill -9`; a power cut may lose the last moments. Texts are
not stored: keys are digests, and a cached answer holds offsets and labels, that is facts. What the
teacher proposed for the prompt is words, and is kept as it was said.

What was spent on what stands beside, see `stream.teacher.spending`. Who only looks into a file that
other processes write, does so by `stream.teacher.store_looks`.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from schemas.errors import BudgetExhaustedError, ConfigError, TeacherStateError
from stream.teacher import (
    answer_rows,
    batch_rows,
    outage_rows,
    reservations,
    spending,
    spending_by_teacher,
)
from stream.teacher.answer_rows import CachedAnswer
from stream.teacher.batch_rows import Batch, BatchSpending
from stream.teacher.quoting import quotes_one
from stream.teacher.retries import Outage
from stream.teacher.spending import Asked, Cause, Spending, Taken
from stream.teacher.spending_by_teacher import TeacherSpending
from stream.teacher.store_file import at_one_moment, connected, opened

_BUSY_TIMEOUT_S = 5.0
"""How long a foreign lock is waited for at a time; whoever asks comes back for more."""
_LOOK_TIMEOUT_S = 0.1
_PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
_UNWRITTEN = frozenset(
    {
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_TRUNCATE,
    }
)
"""A quota that is used up is told like this, where a full disk is told as full."""
_ROUNDING_USD = 1e-9


@dataclass(frozen=True, slots=True)
class Totals:
    """The bill so far: calls that were paid or may have been, tokens, and US dollars."""

    calls: int
    tokens_in: int
    tokens_out: int
    usd: float

    def since(self, before: Totals) -> Totals:
        """Give what was added to an earlier bill."""
        return Totals(
            self.calls - before.calls,
            self.tokens_in - before.tokens_in,
            self.tokens_out - before.tokens_out,
            self.usd - before.usd,
        )


class TeacherStore:
    """Cache and ledger in the file `path`, which is made if need be; thread-safe.

    Raises `ConfigError` when the file cannot be opened or is no database of ours, and later
    when it cannot be used any more: damaged, or read-only. A lock of another process or a full
    disk is a `TeacherStateError`, which passes. `busy_timeout_s` is how long a lock is waited for.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = _BUSY_TIMEOUT_S) -> None:
        self._lock = threading.Lock()
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = opened(path, busy_timeout_s)
            # Apart, so that a look at the totals waits for no write: a scrape has no time for it.
            self._looking = connected(path, _LOOK_TIMEOUT_S)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"cannot open the teacher's state {path}: {error}") from None

    def name(self) -> str:
        """Name this ledger, unlike any other: given to the file once, for good."""
        with self._writing() as database:
            database.execute("INSERT OR IGNORE INTO ledger VALUES (1, ?)", (uuid.uuid4().hex,))
            return str(database.execute("SELECT name FROM ledger").fetchone()[0])

    def cached(self, key: str) -> CachedAnswer | None:
        """Return the answer remembered under `key`, if any; a row that makes no sense is none."""
        with self._lock, self._explained():
            return answer_rows.cached(self._database, key)

    def cached_at(self, key: str, *, endpoint: str, old_key: str) -> CachedAnswer | None:
        """Return the answer of an endpoint, also if it is remembered under its `old_key`.

        That names no endpoint, and is believed for the first one that is remembered by its name.
        """
        found = self.cached(key)
        if found is None and self.endpoints()[:1] in ([], [endpoint]):
            found = self.cached(old_key)
        return found

    def endpoints(self) -> list[str]:
        """Give the endpoints whose answers are remembered by their name, the first one first."""
        with self._lock, self._explained():
            return answer_rows.endpoints(self._database)

    def remember(
        self, key: str, answer: CachedAnswer, *, endpoint: str = "", shared: bool = False
    ) -> None:
        """Keep `answer`, which `endpoint` gave, under `key` in place of an older one.

        `shared` puts it with the copy of the topic, which what is forgotten there is taken out of.
        """
        with self._writing() as database:
            answer_rows.remember(database, key, answer, endpoint=endpoint, shared=shared)

    def shared_read_up_to(self, topic: str, *, now_s: float, at_most_s: float) -> dict[int, int]:
        """Give the offsets that the copy of a topic goes on from; see `answer_rows.read_up_to`."""
        with self._writing() as database:
            return answer_rows.read_up_to(database, topic, now_s=now_s, at_most_s=at_most_s)

    def take_shared(
        self,
        topic: str,
        rows: Sequence[tuple[str, CachedAnswer | None]],
        *,
        read_up_to: Mapping[int, int],
        now_s: float,
    ) -> None:
        """Take over what a topic of answers says next; None takes an answer out."""
        with self._writing() as database:
            answer_rows.take_shared(database, topic, rows, read_up_to=read_up_to, now_s=now_s)
        if any(answer is None for _, answer in rows):
            self._flush()

    def proposed(self, key: str) -> str | None:
        """Return what was proposed for the prompt, as it was said, if it is remembered."""
        with self._lock, self._explained():
            query = "SELECT said FROM proposals WHERE key = ?"
            row = self._database.execute(query, (key,)).fetchone()
        return None if row is None else str(row[0])

    def remember_proposed(self, key: str, said: str) -> None:
        """Keep what was proposed under `key`."""
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO proposals VALUES (?, ?)", (key, said))

    def forget(
        self, keys: Collection[str], texts: Collection[str], *, dry_run: bool
    ) -> tuple[int, int]:
        """Drop the answers under these keys, and proposals that quote one of the texts whole.

        Whatever examples were chosen for it, an answer goes by the key without them. Returns how
        many there were of both. What was spent stands. Lines of batches that ask one are open no
        more, so their answers are passed over.
        """
        with self._writing() as database:
            answers = answer_rows.known(database, keys)
            said = database.execute("SELECT key, said FROM proposals").fetchall()
            proposals = [key for key, words in said if quotes_one(words, texts)]
            if not dry_run:
                answer_rows.drop(database, answers)
                batch_rows.drop(database, [call for call, _ in batch_rows.about(database, keys)])
                database.executemany(
                    "DELETE FROM proposals WHERE key = ?", [(x,) for x in proposals]
                )
        if not dry_run:
            self._flush()
        return len(answers), len(proposals)

    def reserve(
        self,
        usd: float,
        *,
        cause: Cause,
        day: str,
        budget_usd: float,
        parts: Sequence[Taken] = (),
    ) -> int:
        """Set `usd` aside for a call on `day` (ISO date); return the call's id.

        `parts` is what of it is for each of the cause's `questions`, where it has several.
        Raises `BudgetExhaustedError` when the day's spend would pass `budget_usd`.
        """
        with self._writing() as database:
            spent = reservations.spent(database, day)
            if spent + usd > budget_usd + _ROUNDING_USD:
                raise BudgetExhaustedError(
                    f"{spent:.4f} of {budget_usd:.4f} USD are spent on {day}: "
                    f"no {usd:.4f} left for a call"
                )
            cursor = database.execute(
                "INSERT INTO reservations (day, usd) VALUES (?, ?)", (day, usd)
            )
            call = int(cursor.lastrowid or 0)
            spending.open_cause(database, call, cause, parts)
            reservations.book(database, day, cause, taken := Taken(usd, calls=1), parts)
            spending_by_teacher.reserved(database, call, day=day, cause=cause, taken=taken)
            batch_rows.reserved(database, call, day=day, cause=cause, taken=taken)
            return call

    def settle(
        self,
        call: int,
        *,
        tokens_in: int,
        tokens_out: int,
        usd: float,
        tokens_reasoning: int = 0,
        parts: Sequence[Taken] = (),
    ) -> None:
        """Book what the reserved `call` did cost; `LookupError` if it is not reserved.

        `parts` is what each question of the call took of it, where there are several.
        """
        with self._writing() as database:
            day, reserved, cause, of_each = reservations.redeem(database, call)
            taken = Taken(
                usd - reserved,
                tokens_in=tokens_in,
                tokens_out=tokens_out,
                tokens_reasoning=tokens_reasoning,
            )
            settled = [
                replace(part, usd=part.usd - usd, calls=0)
                for part, usd in zip(parts, of_each, strict=True)
            ]
            reservations.book(database, day, cause, taken, settled)
            spending_by_teacher.ended(database, call, day=day, taken=taken)
            batch_rows.ended(database, call, taken=taken)

    def release(self, call: int) -> None:
        """Give the reservation back: the call was turned away, and cost nothing."""
        with self._writing() as database:
            day, reserved, cause, of_each = reservations.redeem(database, call)
            parts = [Taken(-usd, calls=-1) for usd in of_each]
            taken = Taken(-reserved, calls=-1)
            reservations.book(database, day, cause, taken, parts)
            spending_by_teacher.ended(database, call, day=day, taken=taken)
            batch_rows.ended(database, call, taken=taken)

    def count_cached(self, cause: Cause, *, day: str) -> None:
        """Count an answer that the cache gave in a call's place, on `day`."""
        with self._writing() as database:
            spending.book_cached(database, day, cause)

    def note_outage(self, endpoint: str, outage: Outage | None) -> None:
        """Note that an endpoint does not answer, or that it does again."""
        with self._writing() as database:
            outage_rows.note(database, endpoint, outage)

    def outages(self) -> dict[str, Outage]:
        """Give the endpoints that did not answer when they were last tried."""
        with self._lock, self._explained():
            return outage_rows.outages(self._database)

    def spendings(self) -> list[Spending]:
        """Give what was spent on what, by day, task and purpose."""
        with self._lock, self._explained(), at_one_moment(self._database):
            return spending.spendings(self._database)

    def paid_to(self) -> list[TeacherSpending]:
        """Give what each of several teachers was paid, by day and task."""
        with self._lock, self._explained():
            return spending_by_teacher.spendings(self._database)

    def note_batch(self, batch: Batch) -> None:
        """Note a batch that is begun, or what has become of it."""
        with self._writing() as database:
            batch_rows.note(database, batch)

    def close_batch(self, batch: str) -> None:
        """End a batch; what is still reserved for its lines stands for good."""
        with self._writing() as database:
            batch_rows.close(database, batch)

    def batches(self) -> list[Batch]:
        """Give the batches that were begun and not ended, the oldest first."""
        with self._lock, self._explained():
            return batch_rows.batches(self._database)

    def batches_about(self, keys: Collection[str]) -> list[Batch]:
        """Give the batches that wait with an open line about one of these questions."""
        with self._lock, self._explained():
            names = {batch for _, batch in batch_rows.about(self._database, keys)}
            return [one for one in batch_rows.batches(self._database) if one.name in names]

    def open_lines(self, batch: str) -> dict[str, int]:
        """Give the calls that are reserved for the lines of a batch, by the lines' names."""
        with self._lock, self._explained():
            return batch_rows.open_lines(self._database, batch)

    def batched(self) -> list[BatchSpending]:
        """Give what lines of batches took, by day and task."""
        with self._lock, self._explained():
            return batch_rows.spendings(self._database)

    def asked(self, question: str) -> Asked | None:
        """Give what the question of this key took; None where nobody noted that."""
        with self._lock, self._explained():
            found = spending.asked_last(self._database, question)
            calls = batch_rows.calls_about(self._database, question)
        return found and replace(found, in_batches=calls)

    def spent_usd(self, day: str) -> float:
        """Return what is spent or reserved on `day`."""
        with self._lock, self._explained():
            return reservations.spent(self._database, day)

    def totals(self) -> Totals:
        """Add up all calls ever made; waits for nobody, `sqlite3.Error` when it cannot look."""
        query = "SELECT sum(calls), sum(tokens_in), sum(tokens_out), sum(usd) FROM days"
        calls, tokens_in, tokens_out, usd = self._looking.execute(query).fetchone()
        return Totals(calls or 0, tokens_in or 0, tokens_out or 0, usd or 0.0)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()
            self._looking.close()

    def _flush(self) -> None:
        """Empty the log beside the file, or it has still what was taken out."""
        with self._lock, self._explained():
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        # IMMEDIATE: of two processes that read the spend, one must wait for the other.
        with self._lock, self._explained():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back by itself.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            what = f"the teacher's state {self._path} cannot be used: {error}"
            code = getattr(error, "sqlite_errorcode", 0)
            # The low byte is the primary code, whatever the extended one adds.
            if code & 0xFF in _PASSING or code in _UNWRITTEN:
                raise TeacherStateError(what) from None
            raise ConfigError(what) from None
