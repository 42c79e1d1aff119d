"""`silverstream signing-key`: a key to sign promotions, promises and labels with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import ConfigError, DiskError
from stream.kafka.signatures import new_key, public_key


def signing_key(
    file: Annotated[Path, typer.Argument(help="Where the secret key is, or is to be.")],
) -> None:
    """Make a secret key that its owner alone can read, unless the file is there; tell the public.

    The secret one goes to those who sign (`kafka.signing_key_file`), the public one to all who
    read (`kafka.trusted_keys`).
    """
    try:
        secret = file.read_text("ascii").strip()
    except FileNotFoundError:
        secret = new_key()
        _write(file, secret)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from None
    print(public_key(secret))


def _write(file: Path, secret: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(secret + "\n")
    except OSError as error:
        raise DiskError(f"cannot write {file}: {error.strerror}") from None
