"""A TCP proxy that misbehaves to order, between a client and a server of HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Self

_PIECE = 65536


class FaultProxy:
    """Forwards to `port` of this machine, and does what its attributes say, from now on.

    `silent`: take connections, answer nothing. `cut_after`: end each connection after so many bytes
    of its answers. `canned`: answer every request with these bytes. `refused`: end each connection
    at once. `drip_s`: give the answers byte by byte, one in so many seconds. `connections` counts
    those that were made. Connections that are open when a fault begins, end.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.silent = False
        self.cut_after: int | None = None
        self.canned: bytes | None = None
        self.refused = False
        self.drip_s: float | None = None
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The address to give to the client."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def heal(self) -> None:
        """Let everything pass again."""
        self.begin()

    def begin(
        self,
        *,
        silent: bool = False,
        cut_after: int | None = None,
        canned: bytes | None = None,
        refused: bool = False,
        drip_s: float | None = None,
    ) -> None:
        """Misbehave in this way, and end what is open."""
        self.silent, self.cut_after, self.canned = silent, cut_after, canned
        self.refused, self.drip_s = refused, drip_s
        with self._lock:
            ended, self._open = self._open, set()
        for connection in ended:
            _end(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take no more connections, and end those that are open."""
        _end(self._listener)
        self.begin(refused=True)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                self._remember(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _remember(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self.silent:
                while client.recv(_PIECE):
                    pass
            elif self.canned is not None:
                client.recv(_PIECE)
                client.sendall(self.canned)
            elif not self.refused:
                self._forward(client)
        _end(client)

    def _forward(self, client: socket.socket) -> None:
        server = socket.create_connection(self._target)
        self._remember(server)
        asking = threading.Thread(target=_pump, args=(client, server, None), daemon=True)
        asking.start()
        if self.drip_s is None:
            _pump(server, client, self.cut_after)
        else:
            _drip(server, client, self.drip_s)
        _end(server)


def _drip(source: socket.socket, sink: socket.socket, every_s: float) -> None:
    with contextlib.suppress(OSError):
        while byte := source.recv(1):
            sink.sendall(byte)
            time.sleep(every_s)


def _pump(source: socket.socket, sink: socket.socket, most: int | None) -> None:
    with contextlib.suppress(OSError):
        left = most
        while (left is None or left > 0) and (piece := source.recv(_PIECE)):
            piece = piece if left is None else piece[:left]
            sink.sendall(piece)
            left = None if left is None else left - len(piece)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
