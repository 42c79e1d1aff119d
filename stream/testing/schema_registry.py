"""A Confluent-compatible schema registry in memory, behind an httpx transport."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import httpx

from schemas.wire.compatibility import read_faults

_REGISTER = re.compile(r"/subjects/(?P<subject>[^/]+)/versions")
_FETCH = re.compile(r"/schemas/ids/(?P<id>\d+)")


class FakeSchemaRegistry:
    """Registers and serves schemas, and refuses incompatible ones (FULL_TRANSITIVE).

    Give `transport` to `SchemaRegistry`. `requests` lists what was asked; with `outage` set
    to a status (or 0 for a broken connection) every request fails.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.outage: int | None = None
        self._entries: list[dict[str, Any]] = []
        self._ids_by_subject: defaultdict[str, list[int]] = defaultdict(list)

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        """What takes the network's place."""
        return httpx.MockTransport(self._answer)

    def add(self, schema: Any, **entry: Any) -> int:
        """Store a schema (or any text) without a subject: its id."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        self._entries.append({"schema": text, **entry})
        return len(self._entries)

    def subjects(self) -> Mapping[str, Sequence[int]]:
        """List the ids registered under each subject, oldest first."""
        return self._ids_by_subject

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.raw_path.decode()}")
        if self.outage == 0:
            raise httpx.ConnectError("no route", request=request)
        if self.outage is not None:
            return httpx.Response(self.outage)
        return self._serve(request)

    def _serve(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        if request.method == "POST" and (match := _REGISTER.fullmatch(path)):
            return self._register(unquote(match["subject"]), json.loads(request.content)["schema"])
        if request.method == "GET" and (match := _FETCH.fullmatch(path)):
            return self._fetch(int(match["id"]))
        return httpx.Response(405)

    def _register(self, subject: str, text: str) -> httpx.Response:
        ids = self._ids_by_subject[subject]
        known = [self._entries[i - 1]["schema"] for i in ids]
        if text in known:
            return httpx.Response(200, json={"id": ids[known.index(text)]})
        if any(_clash(json.loads(text), json.loads(other)) for other in known):
            return httpx.Response(409, json={"error_code": 409, "message": "incompatible"})
        ids.append(self.add(text))
        return httpx.Response(200, json={"id": ids[-1]})

    def _fetch(self, schema_id: int) -> httpx.Response:
        if not 1 <= schema_id <= len(self._entries):
            return httpx.Response(404, json={"error_code": 40403, "message": "Schema not found"})
        return httpx.Response(200, json=self._entries[schema_id - 1])


def _clash(one: Any, other: Any) -> bool:
    return bool(read_faults(one, other) or read_faults(other, one))
