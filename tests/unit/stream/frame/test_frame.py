from __future__ import annotations

import inspect
from types import ModuleType

import faust
from faust.app.base import BootStrategy
from faust.transport.drivers import aiokafka as driver
from faust.web.drivers.aiohttp import Web

from stream import frame
from stream.frame import faust_app, faust_driver, web

_FAUSTS = (
    faust.App,
    BootStrategy,
    Web,
    driver.Transport,
    driver.Consumer,
    driver.AIOKafkaConsumerThread,
)


def _overridden(module: ModuleType) -> set[str]:
    """Name the private methods of Faust's that the module's classes override."""
    ours = [kind for kind in vars(module).values() if inspect.isclass(kind)]
    return {
        f"{kind.__name__}.{name}"
        for kind in ours
        if kind.__module__ == module.__name__ and issubclass(kind, _FAUSTS)
        for name in vars(kind)
        if name.startswith("_") and not name.startswith("__") and _is_fausts(kind, name)
    }


def _is_fausts(kind: type, name: str) -> bool:
    return any(inspect.isfunction(vars(base).get(name)) for base in kind.__mro__[1:])


def test_two_private_methods_of_fausts_are_overridden_and_the_package_says_why() -> None:
    found = _overridden(faust_app) | _overridden(faust_driver) | _overridden(web)
    assert found == {"Consumer._new_consumer_thread", "ConsumerThread._create_consumer"}
    assert all(f"`{name}`" in (frame.__doc__ or "") for name in found)
