"""An S3 server on this machine (moto's server mode), a process of its own, for tests."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from stream.kafka.local.child_process import ChildProcess

BUCKET = "silverstream"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What a client of it needs, beside `AWS_ENDPOINT_URL`; it checks no credentials."""


@contextmanager
def s3_server(folder: Path, *, timeout_s: float = 60.0) -> Iterator[int]:
    """Run one with an empty bucket `BUCKET`; give its port. Its log lies in `folder`."""
    port = _free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    child = ChildProcess(command, log=folder / "s3.log")
    try:
        _make_bucket(child, port, ends=time.monotonic() + timeout_s)
        yield port
    finally:
        child.stop()


def _make_bucket(child: ChildProcess, port: int, *, ends: float) -> None:
    while True:
        try:
            httpx.put(f"http://127.0.0.1:{port}/{BUCKET}", trust_env=False).raise_for_status()
        except httpx.TransportError:
            if not child.running or time.monotonic() > ends:
                raise RuntimeError(f"the S3 server did not start:\n{child.log_tail()}") from None
        else:
            return
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
