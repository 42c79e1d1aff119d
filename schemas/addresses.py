"""Hosts that no setting may name: those of a cloud's metadata, which give keys to who asks.

A host is judged in every spelling that some resolver takes: decimal, hexadecimal and octal IPv4
(`inet_aton`), IPv4 inside IPv6 (mapped, compatible, NAT64, 6to4, Teredo), full-width digits, a dot
at its end; and, where requests are made, by the addresses that its name leads to.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from schemas.errors import ConfigError

Resolve: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a host; none where it has none, or where nobody says."""

_FORBIDDEN: Final = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",  # link-local: AWS, Azure, Google, Oracle, DigitalOcean, ECS
            "fe80::/10",
            "fd00:ec2::/32",  # AWS
            "fd20:ce::/32",  # Google
            "100.100.100.200/32",  # Alibaba
            "168.63.129.16/32",  # Azure's host
            "192.0.0.192/32",  # Oracle, before
        ),
    )
)
_FORBIDDEN_NAMES: Final = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
_NAT64: Final = ip_network("64:ff9b::/96")
_COMPATIBLE: Final = ip_network("::/96")
_DOTS: Final = str.maketrans("\u3002\uff0e\uff61", "...")
"""What IDNA takes for dots."""


def is_forbidden(host: str) -> bool:
    """Tell whether a host is one of a cloud's metadata, however it is spelt; asks no resolver."""
    plain = unicodedata.normalize("NFKC", host.translate(_DOTS)).translate(_DOTS)
    plain = plain.strip("[]").rstrip(".").lower()
    if plain in _FORBIDDEN_NAMES:
        return True
    address = _address(plain)
    return address is not None and any(
        one in network for one in _inner(address) for network in _FORBIDDEN
    )


def split_url(url: str) -> SplitResult:
    """Split a URL of HTTP; `ValueError` for what is none, without a word of it, which may be a key.

    It is refused too when its host `is_forbidden`, or when its login is not percent-encoded.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("is no URL; a password in it must be percent-encoded") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and a host")
    if parts.netloc.count("@") > 1 or ("%" in parts.hostname and ":" not in parts.hostname):
        raise ValueError("is no URL; a password in it must be percent-encoded (@ is %40)")
    if is_forbidden(parts.hostname):
        raise ValueError(f"must not be {parts.hostname}: {_WHY}")
    return parts


def guard_addresses(client: Any, *, setting: str, resolve: Resolve | None = None) -> None:
    """Have each request of a client (of `httpx` or `httpx2`) fail whose host leads to metadata.

    The name is resolved before each request, so that `ConfigError`, which names the `setting`, is
    raised before anything is sent; and once more for each connection, which is made to the very
    addresses that were looked at: a name that changes meanwhile (DNS rebinding) leads nowhere else.
    Through a proxy it is the proxy that connects.
    """

    async def check(request: Any) -> None:
        await refuse_forbidden(str(request.url.host), setting=setting, resolve=resolve)

    hooks = client.event_hooks
    client.event_hooks = {**hooks, "request": [*hooks.get("request", []), check]}
    # Neither library has a public place for it; a transport of a test has no pool.
    pool = getattr(getattr(client, "_transport", None), "_pool", None)
    if pool is not None:
        pool._network_backend = _Checked(pool._network_backend, setting, resolve)  # noqa: SLF001 - as above


class _Checked:
    """A network backend of `httpcore` that connects to the addresses that it has looked at."""

    def __init__(self, backend: Any, setting: str, resolve: Resolve | None) -> None:
        self._backend, self._setting, self._resolve = backend, setting, resolve or _resolved

    async def connect_tcp(self, host: str, *args: Any, **options: Any) -> Any:
        addresses = await self._resolve(host)
        refuse_addresses(host, addresses, self._setting)
        *others, last = addresses or [host]
        for address in others:
            # One of several may be out of reach (IPv6, say): the next is tried.
            with contextlib.suppress(Exception):
                return await self._backend.connect_tcp(address, *args, **options)
        return await self._backend.connect_tcp(last, *args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


async def refuse_forbidden(host: str, *, setting: str, resolve: Resolve | None = None) -> None:
    """Raise `ConfigError`, which names the `setting`, when a host is or leads to metadata."""
    refuse_addresses(host, await (resolve or _resolved)(host), setting)


def refuse_addresses(host: str, addresses: Sequence[str], setting: str) -> None:
    """Raise `ConfigError`, which names the `setting`, when a host or one of its addresses is so."""
    if any(map(is_forbidden, (host, *addresses))):
        raise ConfigError(f"{setting} leads to a forbidden address ({host}): {_WHY}")


_WHY: Final = "it is where clouds give out keys to their machines (metadata, link-local)"


async def _resolved(host: str) -> Sequence[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the request itself will say it; a proxy may know better
        return ()
    return [*dict.fromkeys(str(address[4][0]) for address in found)]


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:  # 2852039166, 0xa9fea9fe, 0251.0376.0251.0376, 169.254.43518
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _inner(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """Yield an address, and those of IPv4 that are written inside it."""
    yield address
    if isinstance(address, IPv4Address):
        return
    if address in _NAT64 or address in _COMPATIBLE:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    yield from filter(None, (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())))
