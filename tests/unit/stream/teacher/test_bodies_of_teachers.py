from __future__ import annotations

import gzip

import pytest
from aiohttp import web

from schemas.errors import TeacherUnavailableError
from stream.teacher.completions import MAX_BODY_BYTES
from stream.testing.endpoints import MakeTeacher, answering, fail


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_body_is_read_up_to_its_limit_whatever_its_status(
    make_teacher: MakeTeacher, status: int
) -> None:
    sent = 0

    async def respond(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        chunk = b" " * 2**20
        for _ in range(64):
            await response.write(chunk)
            sent += len(chunk)
        return response

    async with answering(respond) as url:  # type: ignore[arg-type] # a stream is a response too
        message = await fail(make_teacher(url, max_attempts=1), TeacherUnavailableError)
    assert f"more than {MAX_BODY_BYTES}" in message
    assert sent < 64 * 2**20


@pytest.mark.parametrize("status", [200, 400])
async def test_a_compressed_body_is_not_asked_for_and_not_opened(
    make_teacher: MakeTeacher, status: int
) -> None:
    asked: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        asked.append(request.headers["Accept-Encoding"])
        bomb = gzip.compress(b" " * 2**24)
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"}, status=status)

    async with answering(respond) as url:
        message = await fail(make_teacher(url, max_attempts=1), TeacherUnavailableError)
    assert "compressed" in message
    assert asked == ["identity"]
