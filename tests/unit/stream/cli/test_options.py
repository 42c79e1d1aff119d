from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from stream.cli.main import COMMANDS, build_app


def _numbers(name: str) -> list[list[str]]:
    """The words that give an option of this command, or of one below it, which takes a float."""
    whole: Any = typer.main.get_command(build_app(name))
    found = whole.commands[name]
    below = getattr(found, "commands", {"": found})
    return [
        [name, *filter(None, [under]), option.opts[0]]
        for under, command in below.items()
        for option in command.params
        if option.type_descriptor.annotation in (float, float | None)
    ]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_no_option_takes_what_is_no_number(name: str, value: str) -> None:
    for words in _numbers(name):
        result = CliRunner().invoke(build_app(name), [*words, value])
        assert result.exit_code == 2, words
        assert "Invalid value" in result.output


def test_there_are_options_that_take_numbers() -> None:
    assert sum(len(_numbers(name)) for name in COMMANDS) >= 6
