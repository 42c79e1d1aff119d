"""What an endpoint says of files and batches is not trusted."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from schemas.errors import GoneError, TeacherPermanentError, TeacherUnavailableError
from schemas.settings import TeacherSettings
from stream.lab.teacher_sim.simulator import serving
from stream.teacher.batches.client import BatchClient
from stream.teacher.batches.files import read_result
from stream.teacher.retries import Clock


@asynccontextmanager
async def client_of(answer: Any, *, status: int = 200) -> AsyncIterator[BatchClient]:
    async def respond(_request: web.Request) -> web.Response:
        if isinstance(answer, bytes):
            return web.Response(body=answer, status=status)
        return web.json_response(answer, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    async with serving(app) as url:
        client = BatchClient(
            TeacherSettings.model_validate({"base_url": url, "api_key": "sk-secret-key"}),
            clock=Clock(),
        )
        yield client
        await client.aclose()


async def test_a_file_of_results_is_read_as_far_as_it_may_be_long() -> None:
    async with client_of(b"x" * 10**6) as client:
        into = io.BytesIO()
        await client.download("file-1", into, most_bytes=1000)
    assert into.getvalue() == b"x" * 1000


@pytest.mark.parametrize("name", ["../files", "a/b", "", 7, None, "x" * 300, ".."])
async def test_a_name_that_is_no_name_is_none(name: Any) -> None:
    async with client_of({"id": name, "object": "batch", "status": "completed"}) as client:
        with pytest.raises(TeacherUnavailableError):
            await client.state("batch_1")


async def test_what_makes_no_sense_in_a_state_is_left_out() -> None:
    told = {
        "id": "b",
        "status": ["completed"],
        "output_file_id": "../x",
        "request_counts": {"completed": "many", "failed": -3},
        "errors": {"data": [{"code": None, "message": "a\x1b[2Jb" * 1000}]},
    }
    async with client_of(told) as client:
        state = await client.state("b")
    assert (state.status, state.output_file, state.done) == ("", "", 0)
    assert state.words.startswith("a[2Jb")
    assert len(state.words) < 400


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, TeacherPermanentError), (404, GoneError), (500, TeacherUnavailableError)],
)
async def test_refusals_are_told_apart_and_quote_no_key(
    status: int, error: type[Exception]
) -> None:
    body = {"error": {"message": "the key sk-secret-key is none"}}
    async with client_of(body, status=status) as client:
        with pytest.raises(error) as raised:
            await client.state("b")
    assert type(raised.value) is error
    assert "sk-secret-key" not in str(raised.value)


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[1]", b"null", b'{"custom_id": 7}', b"[" * 100_000, b"\xff\xfe", b'{"id": "x"}'],
)
def test_a_line_that_is_no_result_is_none(line: bytes) -> None:
    assert read_result(line) is None


def test_a_result_of_wrong_types_has_none_of_them() -> None:
    line = {"custom_id": "a", "response": {"status_code": True, "body": 7}, "error": ["x"]}
    found = read_result(json.dumps(line).encode())
    assert found is not None
    assert (found.status, found.body, found.code, found.words) == (None, b"7", "", "")
