from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from schemas.errors import BackError
from stream.cli.wizard.asking import Ask
from stream.cli.wizard.terminal import Terminal

ASK = Ask("name", "What [name]?", str, default="x", hint="such as y")


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    def types(*lines: str) -> Terminal:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return Terminal(Console(file=io.StringIO(), width=60))

    return types


def shown(terminal: Terminal) -> str:
    file = terminal.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_line_is_the_answer_and_enter_the_default(typing: Callable[..., Terminal]) -> None:
    terminal = typing("  Ada ", "")
    assert terminal.answer(ASK) == "Ada"
    assert terminal.answer(ASK) == "x"
    assert "What [name]? [x]\n" in shown(terminal)


def test_help_is_shown_and_it_is_asked_again(typing: Callable[..., Terminal]) -> None:
    terminal = typing("?", "Ada")
    assert terminal.answer(ASK) == "Ada"
    assert "such as y; back (or undo)" in shown(terminal)


def test_where_something_must_be_said_enter_is_not_enough(typing: Callable[..., Terminal]) -> None:
    terminal = typing("", "Ada")
    assert terminal.answer(Ask("name", "Name?", str)) == "Ada"
    assert "Something must be said" in shown(terminal)


@pytest.mark.parametrize("word", ["back", "Undo "])
def test_back_goes_back(typing: Callable[..., Terminal], word: str) -> None:
    with pytest.raises(BackError):
        typing(word).answer(ASK)


def test_the_end_of_the_input_is_told(typing: Callable[..., Terminal]) -> None:
    with pytest.raises(EOFError):
        typing().answer(ASK)


def test_what_others_wrote_is_no_markup(typing: Callable[..., Terminal]) -> None:
    terminal = typing()
    terminal.tell("[/bold] [red]x")
    assert shown(terminal) == "[/bold] [red]x\n"
