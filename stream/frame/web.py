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
    """The aiohttp driver of Faust; its default pages (routers, tables, graphs) are left out."""

    default_blueprints = ()
    production_blueprints = ()
    debug_blueprints = ()
    optional_blueprints = ()

    def __init__(self, app: Any, *, host: str, port: int, health: Health, metrics: Metrics) -> None:
        super().__init__(app)
        self._address = (host, port)
        self.web_app.router.add_get("/live", _page(health.live))
        self.web_app.router.add_get("/ready", _page(health.ready))
        self.web_app.router.add_get("/metrics", _metrics_page(metrics))

    async def start_server(self) -> None:
        """Listen, and log the port: with port 0 the system chose it.

        Raises `ConfigError` where it cannot listen.
        """
        try:
            await super().start_server()
        except OSError as error:
            host, port = self._address
            raise ConfigError(
                f"cannot listen on {host}:{port} ({error.strerror or error}): "
                "each worker of a machine needs a web.port of its own"
            ) from None
        _log.info("web_started", addresses=[list(at)[:2] for at in self._runner.addresses])

    def _new_transport_tcp(self) -> web.BaseSite:
        # Faust's settings refuse port 0, with which the system chooses a free one.
        host, port = self._address
        return web.TCPSite(self._runner, host, port)


def _page(look: Callable[[], tuple[bool, dict[str, Any]]]) -> Any:
    async def page(_: web.Request) -> web.Response:
        good, report = look()
        return web.json_response({"ok": good, **report}, status=200 if good else 503)

    return page


def _metrics_page(metrics: Metrics) -> Any:
    async def page(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return page
