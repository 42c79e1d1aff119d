"""Rules of this repository that ruff and mypy do not know (ruff's SLF001 sees private looks)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("schemas", "stream", "distill")

NO_MODULE_OF_THEIR_OWN = {
    "test_architecture.py": "docs/architecture.md against the code",
    "test_conventions.py": "rules for the whole repository",
    "test_deploy.py": "docker-compose.yml and the files in deploy/",
    "test_docs.py": "the other documents against the code",
    "test_locks.py": "the locks against pyproject.toml",
    "test_recorded_answers.py": "what tests/benchmarks/recorded.py counts",
    "distill/labels/test_bootstrap_choice.py": "which texts bootstrap.py takes, and their price",
    "distill/test_round_of_categories.py": "round.py with real trainings of categories",
    "distill/test_round_with_little_gold.py": "round.py where gold and the teacher judge",
    "distill/test_round_without_gold.py": "round.py where the teacher is asked",
    "schemas/wire/test_codec_hostile.py": "codec.py and bytes of strangers",
    "stream/frame/test_frame.py": "the package: which private names of Faust it overrides",
    "stream/kafka/lane/test_lane_beginnings.py": "lane.py: where it begins, apart for its length",
    "stream/retrain/test_promise_keeper_policies.py": "trust and audit shares of promise_keeper.py",
    "stream/teach/test_answering_topics.py": "answering.py: what it writes to which topic",
    "stream/teacher/test_obedient_llm.py": "answers.py, where an LLM obeys what a text orders",
    "stream/teacher/test_openai_bills.py": "the bills of openai_teacher.py, apart for its length",
    "stream/teacher/test_openai_doubts.py": "the client of openai_teacher, by what a refusal means",
    "stream/teacher/test_openai_patience.py": "retries of openai_teacher.py, apart for its length",
    "stream/teacher/test_openai_questions.py": "what else openai_teacher.py is asked",
    "stream/teacher/test_openai_similar.py": "examples for each text, by openai_teacher.py",
    "stream/teacher/test_openai_shared_budget.py": "the budget of many machines, by openai_teacher",
}
"""Test files that mirror no source file, and what they are about."""


def test_values_of_topics_that_have_keys_are_read_with_their_keys() -> None:
    """But where what lies under another's key is looked for, to be forgotten."""
    kinds = "SilverLabel|Promotion|Promise|Canary|TeacherAnswer|TeacherSpend"
    found = {
        str(path.relative_to(REPOSITORY))
        for package in ("stream", "distill")
        for path in (REPOSITORY / package).rglob("*.py")
        if re.search(rf"\.decode\(\s*({kinds})\b", path.read_text(encoding="utf-8"))
    }
    assert found == {"distill/forget.py", "stream/kafka/answer_log.py"}


def test_tests_use_nothing_private_and_patch_nothing_of_ours() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{fault}"
        for path in sorted((REPOSITORY / "tests").rglob("*.py"))
        for fault in faults(path.read_text(encoding="utf-8"))
    ]
    assert not found, "give what must vary in as an argument:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "from stream.kafka.lane.lane import _FIRST_WAIT_S",
        "from stream.kafka import _secret as public",
        "import stream._secret",
        "monkeypatch.setattr(anything, '_name', 1)",
        "monkeypatch.setattr('stream.lab.replay.rounds.STALL_S', 1)",
        "monkeypatch.delattr('os._exit')",
        "from stream.lab.replay import play\nmonkeypatch.setattr(play, 'ceilings', 1)",
        "import stream.app as app\nmonkeypatch.setattr(app, 'now_ms', 1)",
        "import stream.app\nmonkeypatch.setattr(stream.app, 'now_ms', 1)",
        "from stream.student import Student\nmonkeypatch.setattr(Student, 'load', 1)",
    ],
)
def test_what_is_private_or_patched_is_seen(source: str) -> None:
    assert list(faults(source))


@pytest.mark.parametrize(
    "source",
    [
        "from __future__ import annotations",
        "from stream.student import Student\nstudent = Student\nself._mine = 1",
        "import os\nmonkeypatch.setattr(os, 'sched_getaffinity', 1)",
        "monkeypatch.setattr('sys.stdin', 1)",
        "monkeypatch.setenv('_NAME', '1')",
    ],
)
def test_what_is_public_or_not_ours_is_let_pass(source: str) -> None:
    assert not list(faults(source))


def test_unit_tests_lie_where_their_sources_lie() -> None:
    unit = REPOSITORY / "tests/unit"
    tests = {str(path.relative_to(unit)) for path in unit.rglob("test_*.py")}
    astray = {name for name in tests if not (REPOSITORY / _source(name)).exists()}
    assert astray == set(NO_MODULE_OF_THEIR_OWN)


def test_every_package_says_what_it_is() -> None:
    folders = {path.parent for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")}
    silent = [str(folder.relative_to(REPOSITORY)) for folder in folders if not _docstring(folder)]
    assert silent == []


def _source(test: str) -> Path:
    path = Path(test)
    return path.with_name(path.name.removeprefix("test_"))


def _docstring(folder: Path) -> str:
    file = folder / "__init__.py"
    tree = ast.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    return ast.get_docstring(tree) or ""


def faults(source: str) -> Iterator[str]:
    """Yield `line: what is wrong` for private imports, and for patches of what is ours."""
    nodes = list(ast.walk(ast.parse(source)))
    ours = set(_names_of_ours(nodes))
    for node in nodes:
        if any(map(_is_private, _imported(node))):
            yield f"{node.lineno}: imports a private name"  # type: ignore[attr-defined] # imports
        if isinstance(node, ast.Call) and (patched := _patched(node, ours)):
            yield f"{node.lineno}: patches {patched}"


def _imported(node: ast.AST) -> list[str]:
    """Every name that an import spells, dotted ones in full."""
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(alias.name for alias in node.names)]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def _is_private(dotted: str) -> bool:
    return any(part.startswith("_") and not part.endswith("__") for part in dotted.split("."))


def _names_of_ours(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The names by which a module knows our packages and what it takes from them."""
    for node in nodes:
        for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
            module = node.module if isinstance(node, ast.ImportFrom) else alias.name
            if (module or "").partition(".")[0] in PACKAGES:
                yield alias.asname or alias.name.partition(".")[0]


def _patched(call: ast.Call, ours: set[str]) -> str:
    """What a call of `monkeypatch` patches that it must not, or nothing."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr in {"setattr", "delattr"}):
        return ""
    strings = [a.value for a in call.args if isinstance(a, ast.Constant)]
    for text in [text for text in strings[:1] if isinstance(text, str)]:
        if _is_private(text) or text.partition(".")[0] in PACKAGES:
            return text
    target = ast.unparse(call.args[0])
    return target if target.partition(".")[0] in ours else ""
