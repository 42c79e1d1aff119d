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
_FETCH_GUID = re.compile(r"/schemas/guids/(?P<guid>[0-9a-f-]+)")
_FETCH_VERSION = re.compile(r"/subjects/(?P<subject>[^/]+)/versions/(?P<n>\d+)\?deleted=true")


class FakeSchemaRegistry:
    """Registers and serves schemas, and refuses incompatible ones (FULL_TRANSITIVE).

    Give `transport` to `SchemaRegistry`. `requests` lists what was asked; with `outage` set
    to a status (or 0 for a broken connection) every request fails; `strange` has the statuses
    of ids that it fails on alone.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.outage: int | None = None
        self.strange: dict[int, int] = {}
        self._entries: list[dict[str, Any]] = []
        self._ids_by_subject: defaultdict[str, list[int]] = defaultdict(list)

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        """What takes the network's place."""
        return httpx.MockTransport(self._answer)

    def add(self, schema: Any, *, subject: str = "", **entry: Any) -> int:
        """Store a schema (or any text), as the next version of `subject` if given: its id."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        self._entries.append({"schema": text, **entry})
        if subject:
            self._ids_by_subject[subject].append(len(self._entries))
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
        if request.method == "GET" and (match := _FETCH_GUID.fullmatch(path)):
            guids = [entry.get("guid") for entry in self._entries]
            return self._fetch(guids.index(match["guid"]) + 1 if match["guid"] in guids else 0)
        if request.method == "GET" and (match := _FETCH_VERSION.fullmatch(path)):
            ids = self._ids_by_subject.get(unquote(match["subject"]), [])
            return self._fetch(dict(enumerate(ids, 1)).get(int(match["n"]), 0))
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
        if schema_id in self.strange:
            return httpx.Response(self.strange[schema_id])
        if not 1 <= schema_id <= len(self._entries):
            return httpx.Response(404, json={"error_code": 40403, "message": "Schema not found"})
        return httpx.Response(200, json=self._entries[schema_id - 1])


def _clash(one: Any, other: Any) -> bool:
    return bool(read_faults(one, other) or read_faults(other, one))
