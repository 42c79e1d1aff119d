"""Bundles: the immutable folder of a student, read once and believed only by digest.

Each file is opened once, inside the folder, following no link; what is checked is
the bytes in memory, so a file replaced meanwhile cannot matter. What may be in the model is
another matter: whoever loads it looks (`stream.student.onnx.check`).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import BundleError
from schemas.files.manifest import (
    MANIFEST_NAME,
    MODEL_NAME,
    TOKENIZER_NAME,
    Manifest,
    manifest_bytes,
    manifest_digest,
    parse_manifest,
)
from schemas.files.whole_files import whole_file, written

MAX_FILE_BYTES = 2 * 1024**3
"""Protobuf's own limit, for the model; no file of a bundle is larger."""
MAX_OTHER_BYTES = 128 * 1024**2
"""For every other file: the tokenizers of a million pieces are half as large."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A student's files, every digest checked. `digest` is that of `manifest.json`."""

    manifest: Manifest
    digest: str
    model: bytes = field(repr=False)
    tokenizer: bytes = field(repr=False)


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle into memory.

    Raises `BundleError` unless the folder holds exactly the files that its manifest names, all
    of them plain (no links, one name each), and every SHA-256 matches.
    """
    with _opened(folder) as folder_fd:
        manifest_json = _read(folder_fd, MANIFEST_NAME)
        manifest = parse_manifest(manifest_json)
        files = _read_all(folder_fd, manifest.files)
    digest = manifest_digest(manifest_json)
    return Bundle(manifest, digest, files[MODEL_NAME], files[TOKENIZER_NAME])


def make_bundle(manifest: Manifest, *, model: bytes, tokenizer: bytes) -> Bundle:
    """Put a bundle together in memory; `BundleError` when its manifest contradicts itself."""
    return Bundle(manifest, manifest_digest(manifest_bytes(manifest)), model, tokenizer)


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write a bundle that was made in memory, the manifest last: it vouches for the rest.

    Raises `DiskError`; what was written till then is no bundle, for it has no manifest.
    """
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MODEL_NAME).write_bytes(bundle.model)
        (folder / TOKENIZER_NAME).write_bytes(bundle.tokenizer)
    with whole_file(folder / MANIFEST_NAME) as file:
        file.write(manifest_bytes(bundle.manifest))


def bundle_digest(folder: Path) -> str:
    """Read the digest of the bundle that the folder says it holds; its other files are not read.

    Raises `BundleError` when it has no manifest that is a plain file.
    """
    with _opened(folder) as folder_fd:
        return manifest_digest(_read(folder_fd, MANIFEST_NAME))


def read_manifest(folder: Path, digest: str) -> Manifest:
    """Read a bundle's manifest alone; `BundleError` unless it is sound and has this digest."""
    with _opened(folder) as folder_fd:
        data = _read(folder_fd, MANIFEST_NAME)
        if manifest_digest(data) != digest:
            raise BundleError(f"its manifest does not have the digest {digest}")
        return parse_manifest(data)


def _read_all(folder_fd: int, digests: dict[str, str]) -> dict[str, bytes]:
    expected, found = {MANIFEST_NAME, *digests}, set(os.listdir(folder_fd))
    if expected != found:
        raise BundleError(_difference(expected, found))
    return {name: _verified(folder_fd, name, digest) for name, digest in digests.items()}


def _difference(expected: set[str], found: set[str]) -> str:
    missing, surplus = sorted(expected - found), sorted(found - expected)
    parts = [f"missing {missing}"] * bool(missing) + [f"not named by it {surplus}"] * bool(surplus)
    return f"the files are not those of the manifest: {', '.join(parts)}"


def _verified(folder_fd: int, name: str, digest: str) -> bytes:
    data = _read(folder_fd, name)
    if hashlib.sha256(data).hexdigest() != digest:
        raise BundleError(f"{name} does not match its digest in the manifest")
    return data


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Open the folder; errors about what is in it name it."""
    try:
        folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BundleError(f"{folder}: cannot open the bundle: {error.strerror}") from None
    try:
        yield folder_fd
    except BundleError as error:
        raise BundleError(f"{folder}: {error}") from None
    finally:
        os.close(folder_fd)


def _read(folder_fd: int, name: str) -> bytes:
    """Read one plain file of the folder; `O_NONBLOCK`, so that a pipe cannot hang the open."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        with os.fdopen(os.open(name, flags, dir_fd=folder_fd), "rb") as file:
            status = os.fstat(file.fileno())
            _check_plain(status, name)
            _check_size(status, name)
            return file.read(status.st_size)
    except OSError as error:
        raise BundleError(f"cannot read {name} as a plain file: {error.strerror}") from None


def _check_plain(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise BundleError(f"{name} is not a plain file with one name")


def _check_size(status: os.stat_result, name: str) -> None:
    limit = MAX_FILE_BYTES if name == MODEL_NAME else MAX_OTHER_BYTES
    if status.st_size >= limit:
        raise BundleError(f"{name} is larger than {limit - 1} bytes")
