"""Where a store is: a folder of this machine, or a URL of a file system that fsspec knows.

A URL may hold a login or a signature, so people and logs see `shown` alone, and what others say
of it only through `harmless`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from schemas.addresses import is_forbidden
from schemas.masking import MASK, without_logins, without_queries

_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+")
_LOST_SLASH = re.compile(r"[a-z][a-z0-9+.-]+:/[^/]")
_PARAMETER = re.compile(
    r"(?i)([\w.-]*(?:key|token|secret|sig|signature|password|credential)=)[^&\s]+"
)
_MAX_CHARS = 300


def store_root(value: object) -> object:
    """Tell a URL from a folder; `ValueError` for what is nearly a URL, or must not be asked."""
    text = str(value)
    if isinstance(value, str) and _URL.fullmatch(text):
        if is_forbidden(_host(text)):
            raise ValueError("a store must not be at an address of a cloud's metadata")
        return text
    if _LOST_SLASH.match(text) or "://" in text:
        raise ValueError("neither a folder nor a URL such as s3://bucket/folder")
    return Path(text) if isinstance(value, str) else value


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        raise ValueError("no URL: a password in it must be percent-encoded") from None


StoreRoot: TypeAlias = Annotated[Path | str, BeforeValidator(store_root)]
"""A `Path` for a folder, a `str` for a URL."""


def shown(root: Path | str) -> str:
    """Give the place for people and logs: without login, query and fragment."""
    plain = without_logins(str(root))
    return plain if isinstance(root, Path) else re.split("[?#]", plain)[0]


def harmless(error: BaseException) -> str:
    """Say in one line, not too long, what an error of a driver says, without what may be secret."""
    words = without_queries(without_logins(" ".join(str(error).split())))
    words = _PARAMETER.sub(rf"\1{MASK}", words)
    return f"{type(error).__name__}: {words[:_MAX_CHARS]}" if words else type(error).__name__


def child(url: str, *names: str) -> str:
    """Give the URL of what lies below; a query, a signature say, stays at its end."""
    head, mark, query = url.partition("?")
    return "/".join((head.rstrip("/"), *names)) + mark + query
