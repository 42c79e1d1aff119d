"""`silverstream run [ROLES]`: one worker process."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Annotated

import typer

from schemas.errors import ConfigError
from stream.cli.main import EXTRAS
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings


def run(
    roles: Annotated[
        list[str] | None, typer.Argument(help="tag, teach, distill; all of them by default.")
    ] = None,
    config: ConfigOption = None,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Run a worker until SIGTERM or Ctrl-C; then it finishes what it has in hand.

    tag enriches the texts, teach asks the teacher about the deferred ones,
    distill retrains the student when enough labels have come.
    """
    # Imported here: the other commands need no Faust.
    from stream.app import ROLES, run_worker
    from stream.watch.log_setup import configure_logs

    chosen = frozenset(role for role in ROLES if role in roles) if roles else frozenset(ROLES)
    if unknown := set(roles or ()) - set(ROLES):
        raise ConfigError(
            f"no such role: {', '.join(sorted(unknown))} (there is {', '.join(ROLES)})"
        )
    if "distill" in chosen and (missing := _missing_of_distill()):
        raise ConfigError(f"the role distill needs {', '.join(missing)}: pip install '.[distill]'")
    settings = command_settings(config)
    configure_logs(level=log_level)
    asyncio.run(run_worker(settings, chosen, config=config))


def _missing_of_distill() -> list[str]:
    """Name what a round would end without; found here rather than in every round."""
    return [
        name
        for name, extra in EXTRAS.items()
        if extra == "distill" and importlib.util.find_spec(name) is None
    ]
