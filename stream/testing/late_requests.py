"""A TCP proxy before a broker: holds back a request of a transaction until it is told to let go."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Self

_HOST = b"127.0.0.1"
END_TXN, TXN_OFFSET_COMMIT = 26, 28


class LateRequests:
    """Forwards to the broker at `port` of this machine, which clients then see at `servers`.

    While `holding`, the next request of the kind `api` (by the Kafka protocol's request header,
    https://kafka.apache.org/protocol) stays here, and who sent it is cut off: to the client it is
    one that was lost. `let_go` gives it to the broker, on the connection that it came by.
    """

    def __init__(self, port: int, api: int) -> None:
        self._port, self._api = port, api
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._own = self._listener.getsockname()[1]
        self._held: list[tuple[bytes, socket.socket]] = []
        self.holding = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def servers(self) -> str:
        """The address to give to the client."""
        return f"127.0.0.1:{self._own}"

    @property
    def n_held(self) -> int:
        """How many requests are held back."""
        return len(self._held)

    def let_go(self) -> int | None:
        """Give what is held to the broker and wait for its answer, an error code; None: nothing."""
        if not self._held:
            return None
        request, broker = self._held.pop()
        with broker:
            broker.sendall(request)
            answer = _frame(broker)
        code: int = struct.unpack(">h", answer[-2:])[
            0
        ]  # the last field of both, in versions 0 to 2
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for held in self._held:
            held[1].close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Forward one request after the other, each with its answer."""
        there, here = (_HOST + struct.pack(">i", port) for port in (self._port, self._own))
        broker = socket.create_connection(("127.0.0.1", self._port))
        with client, contextlib.suppress(OSError, EOFError):
            while True:
                request = _frame(client)
                if self.holding and struct.unpack(">h", request[4:6])[0] == self._api:
                    self.holding = False
                    self._held.append((request, broker))
                    return
                broker.sendall(request)
                # Brokers at the target's address are told to be here.
                client.sendall(_frame(broker).replace(there, here))
        broker.close()


def _frame(source: socket.socket) -> bytes:
    """Read one request or answer with its length before it; raises `EOFError` at the end."""
    length = _exactly(source, 4)
    return length + _exactly(source, struct.unpack(">i", length)[0])


def _exactly(source: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = source.recv(size - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found
