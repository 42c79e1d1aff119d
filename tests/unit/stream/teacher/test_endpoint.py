from __future__ import annotations

from collections.abc import Sequence

import pytest
from aiohttp import web

from schemas.errors import ConfigError, TeacherPermanentError, UnbilledCallError
from schemas.settings import TeacherSettings
from stream.teacher.chat_client import ChatClient
from stream.teacher.endpoint import read_endpoint
from stream.teacher.retries import Clock
from stream.testing.endpoints import answering


@pytest.mark.parametrize(
    "url",
    ["http://h:1/v1", "http://h:1/v1/", "http://h:1/v1/chat/completions", "http://h:1/v1/#there"],
)
def test_the_base_is_found(url: str) -> None:
    assert read_endpoint(url).base_url == "http://h:1/v1"


def test_a_query_is_kept_apart() -> None:
    endpoint = read_endpoint("https://me:pw@h/openai/chat/completions?api-version=2024&key=hunter2")
    assert endpoint.base_url == "https://me:pw@h/openai"
    assert endpoint.query == (("api-version", "2024"), ("key", "hunter2"))
    assert endpoint.host == "h"
    assert endpoint.secrets == ("pw", "hunter2")


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/responses", "/api/chat", "/v1/messages"])
def test_the_address_of_another_call_is_refused_with_what_to_write(path: str) -> None:
    with pytest.raises(ConfigError, match="/v1, and not end in"):
        read_endpoint(f"http://user:hunter2@h{path}")


@pytest.mark.parametrize("url", ["http://h:port/v1", "h/v1", "http://[::1"])
def test_what_is_no_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        read_endpoint(url)


async def test_a_name_that_leads_to_metadata_is_not_asked_and_costs_nothing() -> None:
    asked = False

    async def respond(_request: web.Request) -> web.Response:
        nonlocal asked
        asked = True
        return web.json_response({})

    async def resolve(host: str) -> Sequence[str]:
        assert host == "127.0.0.1"
        return ["169.254.169.254"]

    async with answering(respond) as url:
        client = ChatClient(
            TeacherSettings(base_url=url),
            schema={},
            schema_name="x",
            clock=Clock(),
            resolve=resolve,
        )
        with pytest.raises(UnbilledCallError) as caught:
            await client.complete([{"role": "user", "content": "Hi."}], text="Hi.")
        await client.aclose()
    assert isinstance(caught.value.cause, TeacherPermanentError)
    assert "teacher.base_url leads to a forbidden address" in str(caught.value)
    assert not asked
