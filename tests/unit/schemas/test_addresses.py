from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx
import httpx2
import pytest

from schemas.addresses import guard_addresses, is_forbidden, split_url
from schemas.errors import ConfigError

SPELLINGS = [
    "169.254.169.254",
    "169.254.169.254.",
    "169.254.170.2",
    "2852039166",
    "0xA9FEA9FE",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "025177524776",
    "169.254.43518",
    "169.16689662",
    "0xa9.254.0251.254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "0:0:0:0:0:ffff:a9fe:a9fe",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "\uff11\uff16\uff19.254.169.254",
    "①⑥⑨.254.169.254",
    "169\u3002254\u3002169\u3002254",
    "metadata.google.internal",
    "METADATA.google.internal.",
]


@pytest.mark.parametrize("host", SPELLINGS)
def test_metadata_is_forbidden_in_every_spelling(host: str) -> None:
    assert is_forbidden(host)
    with pytest.raises(ValueError, match=r"must not be|is no URL"):
        split_url(f"http://[{host}]/v1" if ":" in host else f"http://{host}/v1")


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "::1", "10.0.0.1", "169.253.1.1", "fd00::1", "metadata.example", ""],
)
def test_other_hosts_are_not(host: str) -> None:
    assert not is_forbidden(host)


@pytest.mark.parametrize(
    "url",
    [
        "http://169%2e254.169.254/v1",
        "http://llm.example@169.254.169.254/v1",
        "http://169.254.\t169.254/v1",
        "http://me:p@ss@host/v1",
        "http://me:canary/canary@host/v1",
        "file:///etc/passwd",
        "host/v1",
    ],
)
def test_what_is_no_plain_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"must|is no URL") as caught:
        split_url(url)
    assert "canary" not in str(caught.value)


class Resolver:
    """Says of each host what it was given."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.addresses


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_a_name_that_leads_to_metadata_is_not_asked(library: type[httpx]) -> None:  # type: ignore[valid-type]
    sent: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(str(request.url))
        return library.Response(200)  # type: ignore[attr-defined, no-any-return]

    transport = library.MockTransport(respond)  # type: ignore[attr-defined]
    client = library.AsyncClient(transport=transport)  # type: ignore[attr-defined]
    resolve = Resolver("93.184.216.34", "::ffff:a9fe:a9fe")
    guard_addresses(client, setting="teacher.base_url", resolve=resolve)
    async with client:
        with pytest.raises(ConfigError, match=r"teacher\.base_url leads to .*\(llm\.example\)"):
            await client.get("http://llm.example/v1")
    assert (sent, resolve.asked) == ([], ["llm.example"])


async def test_a_name_that_nobody_knows_is_left_to_the_request() -> None:
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    guard_addresses(client, setting="x", resolve=Resolver())
    async with client:
        assert (await client.get("http://llm.example/v1")).status_code == 200


class Rebinding(Resolver):
    """Says another address from the second question on."""

    async def __call__(self, host: str) -> Sequence[str]:
        found = await super().__call__(host)
        return found[:1] if len(self.asked) == 1 else found[1:]


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_a_name_that_changes_after_it_was_looked_at_leads_nowhere(
    library: type[httpx],  # type: ignore[valid-type]
) -> None:
    client = library.AsyncClient(trust_env=False)  # type: ignore[attr-defined]
    resolve = Rebinding("93.184.216.34", "169.254.169.254")
    guard_addresses(client, setting="teacher.base_url", resolve=resolve)
    async with client:
        with pytest.raises(ConfigError, match=r"teacher\.base_url leads to .*\(llm\.example\)"):
            await client.get("http://llm.example/v1")
    assert resolve.asked == ["llm.example"] * 2


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_a_connection_is_made_to_the_address_that_was_looked_at(
    library: type[httpx],  # type: ignore[valid-type]
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    asked: list[bytes] = []
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = library.AsyncClient(trust_env=False)  # type: ignore[attr-defined]
    # The first address is out of reach: nothing listens there.
    guard_addresses(client, setting="x", resolve=Resolver("127.0.0.2", "127.0.0.1"))
    async with server, client:
        response = await client.get(f"http://llm.example:{port}/v1")
    assert response.status_code == 204
    assert f"Host: llm.example:{port}".encode() in asked[0]
