"""Faust's web server with our own pages only: `/live`, `/ready`, `/metrics`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web
from faust.web.drivers.aiohttp import Web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from schemas.errors import ConfigError
from stream.frame.health import Health
from stream.watch.metrics import Metrics

_log = structlog.get_logger()


class WorkerWeb(Web):
    """The aiohttp driver of Faust; its default pages (routers, tables, graphs) are left out.

    `address` is host and port. It listens for itself, since Faust's settings refuse
    port 0, with which the system chooses a free one.
    """

    default_blueprints = ()
    production_blueprints = ()
    debug_blueprints = ()
    optional_blueprints = ()

    def __init__(
        self, app: Any, *, address: tuple[str, int], health: Health, metrics: Metrics
    ) -> None:
        super().__init__(app)
        self._host, self._port = address
        self._listening = web.AppRunner(self.web_app, access_log=None)
        self.web_app.router.add_get("/live", _page(health.live))
        self.web_app.router.add_get("/ready", _page(health.ready))
        self.web_app.router.add_get("/metrics", _metrics_page(metrics))

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Hosts and ports that are listened on; none before the start."""
        return [(host, port) for host, port, *_ in self._listening.addresses]

    async def start_server(self) -> None:
        """Listen, and log the port. Raises `ConfigError` where it cannot listen."""
        await self._listening.setup()
        try:
            await web.TCPSite(self._listening, self._host, self._port).start()
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {self._host}:{self._port} ({error.strerror or error}): "
                "each worker of a machine needs a web.port of its own"
            ) from None
        _log.info("web_started", addresses=[list(address) for address in self.addresses])

    async def stop_server(self) -> None:
        """Close all connections."""
        await self._listening.cleanup()


def _page(look: Callable[[], tuple[bool, dict[str, Any]]]) -> Any:
    async def page(_: web.Request) -> web.Response:
        good, report = look()
        return web.json_response({"ok": good, **report}, status=200 if good else 503)

    return page


def _metrics_page(metrics: Metrics) -> Any:
    async def page(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return page
