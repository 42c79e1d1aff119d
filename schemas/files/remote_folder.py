"""A folder in an object store, or wherever else fsspec has a driver: read, write, list.

Every call ends: in time, with an error of ours, or with `FileNotFoundError`. Drivers find their
credentials and endpoints where they always do: in the environment, in the machine's role.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import cached_property, partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import fsspec
from fsspec.asyn import sync

from schemas.addresses import refuse_forbidden
from schemas.errors import BundleError, ConfigError, StoreDeniedError, StoreUnavailableError
from schemas.files import capped_http, capped_s3
from schemas.files.store_url import child, harmless, shown

T = TypeVar("T")

CHUNK_BYTES = 8 * 1024**2
_EXTRAS = {
    "s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs",
    "abfs": "azure", "abfss": "azure", "az": "azure", "adl": "azure",
}  # fmt: skip
"""The drivers that have an extra of ours, by the URL's scheme."""
ReadCapped = Callable[..., Awaitable[bytes]]
_CAPPED: Mapping[str, ReadCapped] = {
    **dict.fromkeys(capped_http.SCHEMES, capped_http.read_capped),
    **dict.fromkeys(capped_s3.SCHEMES, capped_s3.read_capped),
}
"""Reads a piece and no more, by the URL's scheme; other drivers read what is sent."""
_REFUSED = frozenset({401, 403, "401", "403"})
_NO_LOGIN = ("NoCredentials", "PartialCredentials", "ClientAuthentication", "DefaultCredentials")


class RemoteFolder:
    """`timeout_s` holds for each question, and for each 8 MiB of a file.

    Raises `ConfigError` when no driver for the URL is installed.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self.shown = shown(url)
        self._url = url
        self._timeout_s = timeout_s
        scheme = url.partition("://")[0]
        self._is_http = scheme in capped_http.SCHEMES
        self._read_capped = _CAPPED.get(scheme)
        _check_driver(url)

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Read a file; raises as `chunks`."""
        return b"".join(self.chunks(name, max_bytes=max_bytes))

    def chunks(self, name: str, *, max_bytes: int) -> Iterator[bytes]:
        """Yield a file piece by piece, never more than `max_bytes`.

        Raises `FileNotFoundError`, `BundleError` when the file is larger,
        `StoreUnavailableError` when the store does not answer as it should, and
        `StoreDeniedError`.
        """
        path = self._path(name)
        size = self._size(name)
        if size > max_bytes:
            raise BundleError(f"{self._place(name)} is larger than {max_bytes} bytes")
        for start in range(0, size, CHUNK_BYTES):
            end = min(start + CHUNK_BYTES, size)
            piece = self._piece(name, path, start, end)
            if len(piece) != end - start:
                raise self._away(name, f"answered {len(piece)} bytes, not {end - start}")
            yield piece

    def write(self, name: str, data: bytes, *, fresh: bool = False) -> None:
        """Write a file whole; `fresh` raises `FileExistsError` where there is one already."""
        path, options = self._path(name), {"mode": "create"} if fresh else {}
        patience = 1 + len(data) // CHUNK_BYTES
        if not self._fs.async_impl:  # object stores have no folders, and s3fs would make a bucket
            self._ask(name, "makedirs", path.rpartition("/")[0], exist_ok=True)
        self._ask(name, "pipe_file", path, data, patience=patience, **options)

    def names(self, name: str = "") -> list[str]:
        """List what lies in a folder below, sorted; nothing when there is none."""
        try:
            found = self._ask(name, "ls", self._path(name), detail=False)
        except FileNotFoundError:
            return []
        return sorted({str(path).rstrip("/").rpartition("/")[2] for path in found} - {""})

    def _piece(self, name: str, path: str, start: int, end: int) -> bytes:
        read = self._read_capped
        if read is not None:
            return self._translated(name, lambda: self._capped_piece(read, path, start, end))
        piece: bytes = self._ask(name, "cat_file", path, start=start, end=end)
        return piece

    def _capped_piece(self, read: ReadCapped, path: str, start: int, end: int) -> bytes:
        fs, limit_s = self._fs, self._timeout_s
        piece: bytes = sync(fs.loop, read, fs, path, start=start, end=end, timeout=limit_s)
        return piece

    def _size(self, name: str) -> int:
        info = self._ask(name, "info", self._path(name))
        if info.get("type") == "directory":
            raise FileNotFoundError(name)
        size = info.get("size")
        if not isinstance(size, int):
            raise self._away(name, "does not say how large the file is")
        return size

    def _path(self, name: str) -> str:
        root = str(self._fs._strip_protocol(self._url))  # noqa: SLF001 - fsspec's own way, documented
        return child(root, *filter(None, [name]))

    @cached_property
    def _fs(self) -> Any:
        """Made late, in a thread: some drivers ask for credentials over the network here."""
        client = partial(capped_http.guarded_client, setting=self.shown)

        def make() -> Any:
            # Not shared: an instance remembers what it listed, and credentials that are gone.
            options = {**capped_http.OPTIONS, "get_client": client} if self._is_http else {}
            return fsspec.url_to_fs(self._url, skip_instance_cache=True, **options)[0]

        fs = self._translated("", lambda: _in_time(make, self._timeout_s))
        if self._is_http:
            host = urlsplit(self._url).hostname or ""
            self._translated(
                "",
                lambda: sync(
                    fs.loop, refuse_forbidden, host, setting=self.shown, timeout=self._timeout_s
                ),
            )
        return fs

    def _ask(self, name: str, what: str, *args: Any, patience: int = 1, **options: Any) -> Any:
        fs, limit_s = self._fs, self._timeout_s * patience

        def call() -> Any:
            if fs.async_impl:  # ended for good at the limit; a thread could only be left alone
                return sync(fs.loop, getattr(fs, f"_{what}"), *args, timeout=limit_s, **options)
            return _in_time(lambda: getattr(fs, what)(*args, **options), limit_s)

        fs.invalidate_cache()
        return self._translated(name, call)

    def _translated(self, name: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except (FileNotFoundError, FileExistsError, ConfigError):
            raise
        except TimeoutError:
            raise self._away(name, f"did not answer within {self._timeout_s:g} s") from None
        except Exception as error:  # noqa: BLE001 - drivers raise whatever their libraries do
            if _is_refusal(error):
                raise StoreDeniedError(
                    f"{self._place(name)}: the store refuses us ({harmless(error)}): "
                    "look at its credentials and access rules"
                ) from None
            raise self._away(name, harmless(error)) from None

    def _away(self, name: str, why: str) -> StoreUnavailableError:
        return StoreUnavailableError(f"{self._place(name)}: the store is away: {why}")

    def _place(self, name: str) -> str:
        return f"{self.shown.rstrip('/')}/{name}" if name else self.shown


def _check_driver(url: str) -> None:
    scheme = url.partition("://")[0]
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError:
        extra = _EXTRAS.get(scheme)
        how = f"pip install 'silverstream[{extra}]'" if extra else "install the one of fsspec"
        raise ConfigError(f"{shown(url)} needs a driver: {how}") from None
    except ValueError:
        raise ConfigError(f"{shown(url)}: fsspec knows no file system {scheme}://") from None


def _is_refusal(error: BaseException) -> bool:
    status = {getattr(error, name, None) for name in ("status", "status_code", "code")
              if isinstance(getattr(error, name, None), int | str)}  # fmt: skip
    return (
        isinstance(error, PermissionError)
        or bool(status & _REFUSED)
        or type(error).__name__.startswith(_NO_LOGIN)
    )


def _in_time(call: Callable[[], T], limit_s: float) -> T:
    """Call in a thread that nobody waits for longer; `TimeoutError` then."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            answer.set_exception(error)

    threading.Thread(target=run, name="store", daemon=True).start()
    return answer.result(limit_s)
