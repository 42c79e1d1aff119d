"""The simulator's Files and Batch API: requests in a file, answered later, in any order.

A batch takes `batch_s`, its lines one after the other; what is not done when it expires or is
cancelled is told in the error file. Files and batches are kept in memory.

Source: the OpenAI API reference, "Files" and "Batch".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from stream.lab.teacher_sim.faults import BatchFault, SimulatorSettings
from stream.teacher.retries import Clock

Answered = Callable[[dict[str, Any]], tuple[int, dict[str, Any]] | None]
"""Answers a chat with status and body; None for no answer, ever."""

_WINDOW: Final = re.compile(r"([1-9][0-9]*)([mhd])")
_SECONDS: Final = {"m": 60.0, "h": 3600.0, "d": 86400.0}
_MOST_LINES: Final = 50_000
_BAD_REQUEST: Final = 400


@dataclass(slots=True)
class _Batch:
    id: str
    created: float
    window: str
    expires: float
    endpoint: str
    input_file: str
    metadata: Any
    lines: list[dict[str, Any]]
    refused: str = ""
    cancelled: float | None = None
    output_file: str | None = None
    error_file: str | None = None
    counts: dict[str, int] = field(default_factory=dict)


class Batches:
    """The handlers; `answered` answers one line."""

    def __init__(
        self, answered: Answered, settings: SimulatorSettings, clock: Clock, counts: Counter[str]
    ) -> None:
        self._answered = answered
        self._settings = settings
        self._clock = clock
        self._counts = counts
        self._files: dict[str, bytes] = {}
        self._names: dict[str, str] = {}
        self._batches: dict[str, _Batch] = {}

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_post("/v1/files", self.upload)
        app.router.add_get("/v1/files/{id}/content", self.content)
        app.router.add_get("/v1/files", self.listed_files)
        app.router.add_get("/v1/files/{id}", self.file)
        app.router.add_delete("/v1/files/{id}", self.forget)
        app.router.add_post("/v1/batches", self.create)
        app.router.add_get("/v1/batches", self.listed)
        app.router.add_get("/v1/batches/{id}", self.retrieve)
        app.router.add_post("/v1/batches/{id}/cancel", self.cancel)

    async def upload(self, request: web.Request) -> web.Response:
        """Keep a file of requests."""
        form = await request.post()
        file = form.get("file")
        if form.get("purpose") != "batch" or not isinstance(file, web.FileField):
            return _error(_BAD_REQUEST, "a file with purpose batch is wanted")
        with file.file as read:
            name = self._kept(read.read(), file.filename)
        return web.json_response(self._file(name))

    async def listed_files(self, _request: web.Request) -> web.Response:
        """List the files on one page."""
        data = [self._file(name) for name in self._files]
        return web.json_response({"object": "list", "data": data, "has_more": False})

    async def file(self, request: web.Request) -> web.Response:
        """Tell of a file."""
        name = request.match_info["id"]
        if name not in self._files:
            return _error(404, "no such file")
        return web.json_response(self._file(name))

    async def content(self, request: web.Request) -> web.Response:
        """Give a file back."""
        file = self._files.get(request.match_info["id"])
        return _error(404, "no such file") if file is None else web.Response(body=file)

    async def forget(self, request: web.Request) -> web.Response:
        """Forget a file."""
        name = request.match_info["id"]
        if self._files.pop(name, None) is None:
            return _error(404, "no such file")
        return web.json_response({"id": name, "object": "file", "deleted": True})

    async def create(self, request: web.Request) -> web.Response:
        """Make a batch of a file; what is wrong with its lines is told later."""
        asked = await request.json()
        window = _WINDOW.fullmatch(str(asked.get("completion_window")))
        file = self._files.get(asked.get("input_file_id"))
        if window is None or file is None:
            return _error(_BAD_REQUEST, "a completion_window and an input_file_id are wanted")
        now = self._clock.now()
        batch = _Batch(
            f"batch_{len(self._batches) + 1}",
            now,
            window[0],
            now + int(window[1]) * _SECONDS[window[2]],
            asked.get("endpoint"),
            asked["input_file_id"],
            asked.get("metadata"),
            [],
        )
        try:
            batch.lines = [json.loads(line) for line in file.splitlines()]
        except ValueError:
            batch.refused = "invalid_json_line"
        batch.refused = batch.refused or _wrong(batch)
        if self._drawn("refuse", batch.id):
            batch.refused = "token_limit_exceeded"
        self._batches[batch.id] = batch
        self._counts["batches"] += 1
        self._counts["batch lines"] += len(batch.lines)
        return web.json_response(self._told(batch))

    async def listed(self, _request: web.Request) -> web.Response:
        """List the batches, the newest first, on one page."""
        data = [self._told(one) for one in reversed(self._batches.values())]
        return web.json_response({"object": "list", "data": data, "has_more": False})

    async def retrieve(self, request: web.Request) -> web.Response:
        """Tell how a batch gets on."""
        batch = self._batches.get(request.match_info["id"])
        return (
            _error(404, "no such batch") if batch is None else web.json_response(self._told(batch))
        )

    async def cancel(self, request: web.Request) -> web.Response:
        """End a batch now."""
        batch = self._batches.get(request.match_info["id"])
        if batch is None:
            return _error(404, "no such batch")
        told = self._told(batch)
        if told["status"] == "in_progress":
            batch.cancelled = self._clock.now()
            told["status"] = "cancelling"
        return web.json_response(told)

    def _file(self, name: str) -> dict[str, Any]:
        return {
            "id": name,
            "object": "file",
            "bytes": len(self._files[name]),
            "created_at": int(self._clock.now()),
            "filename": self._names[name],
            "purpose": "batch",
            "status": "processed",
        }

    def _told(self, batch: _Batch) -> dict[str, Any]:
        status = self._status(batch)
        if status in {"completed", "expired", "cancelled"} and not batch.counts:
            self._end(batch, status)
        errors = [{"code": batch.refused, "message": "simulated", "line": 1, "param": None}]
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.endpoint,
            "errors": {"object": "list", "data": errors} if batch.refused else None,
            "input_file_id": batch.input_file,
            "completion_window": batch.window,
            "status": status,
            "output_file_id": batch.output_file,
            "error_file_id": batch.error_file,
            "created_at": int(batch.created),
            "expires_at": int(batch.expires),
            "request_counts": batch.counts or {"total": len(batch.lines), **_NONE_DONE},
            "metadata": batch.metadata,
        }

    def _status(self, batch: _Batch) -> str:
        if batch.refused:
            return "failed"
        due = batch.created + self._settings.batch_s
        ends = min(x for x in (due, batch.expires, batch.cancelled) if x is not None)
        if self._clock.now() < ends:
            return "in_progress"
        if batch.cancelled == ends:
            return "cancelled"
        expires = any(self._drawn("expire", _place(batch, n)) for n in range(len(batch.lines)))
        return "expired" if ends < due or expires else "completed"

    def _end(self, batch: _Batch, status: str) -> None:
        """Answer what was done in time, in an order of its own."""
        ends = batch.expires if batch.cancelled is None else batch.cancelled
        share = min((ends - batch.created) / (self._settings.batch_s or 1e-9), 1.0)
        done = int(len(batch.lines) * share) if status != "completed" else len(batch.lines)
        good, bad = list[dict[str, Any]](), list[dict[str, Any]]()
        for number, line in enumerate(batch.lines):
            name, place = _name(line), _place(batch, number)
            if number >= done or self._drawn("expire", place):
                code = "batch_cancelled" if status == "cancelled" else "batch_expired"
                bad.append(_line(name, error={"code": code, "message": "not done in time"}))
                continue
            told = self._answered(line["body"])
            if told is None or self._drawn("lose", place):
                continue
            http, body = told
            into = good if http < _BAD_REQUEST else bad
            into.append(_line(name, response={"status_code": http, "body": body}))
            if self._drawn("double", place):
                good.append(_line(name, response={"status_code": http, "body": {**body, "n": 2}}))
            if self._drawn("strange", place):
                good.append(_line(f"{name}-not", response={"status_code": http, "body": body}))
        batch.output_file, batch.error_file = self._written(good), self._written(bad)
        batch.counts = {"total": len(batch.lines), "completed": len(good), "failed": len(bad)}

    def _written(self, lines: list[dict[str, Any]]) -> str | None:
        if not lines:
            return None
        shuffled = sorted(lines, key=lambda one: _lot(self._settings.seed, json.dumps(one)))
        return self._kept("".join(json.dumps(one) + "\n" for one in shuffled).encode())

    def _kept(self, file: bytes, filename: str = "") -> str:
        self._counts["files"] += 1
        name = f"file-{self._counts['files']}"
        self._files[name] = file
        self._names[name] = filename or f"{name}.jsonl"
        return name

    def _drawn(self, fault: BatchFault, what: str) -> bool:
        share = self._settings.batch_faults.get(fault, 0.0)
        return _lot(self._settings.seed, f"{fault} {what}") < share


_NONE_DONE: Final[Mapping[str, int]] = {"completed": 0, "failed": 0}


def _wrong(batch: _Batch) -> str:
    names = [_name(line) for line in batch.lines]
    if not names or len(names) > _MOST_LINES:
        return "empty_file" if not names else "too_many_lines"
    if len(set(names)) < len(names):
        return "duplicate_custom_id"
    urls = {line.get("url") for line in batch.lines}
    return "" if urls == {batch.endpoint} else "mismatched_endpoint"


def _name(line: dict[str, Any]) -> str:
    return str(line.get("custom_id"))


def _place(batch: _Batch, number: int) -> str:
    """Name a line by where it stands: its own name has the endpoint's address in it."""
    return f"{batch.id} {number}"


def _line(name: str, **said: Any) -> dict[str, Any]:
    return {"id": f"batch_req_{name}", "custom_id": name, "response": None, "error": None, **said}


def _lot(seed: int, words: str) -> float:
    digest = hashlib.blake2b(f"{seed} {words}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def _error(status: int, words: str) -> web.Response:
    return web.json_response({"error": {"message": words, "type": "simulated"}}, status=status)
