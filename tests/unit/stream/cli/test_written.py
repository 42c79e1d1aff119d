from __future__ import annotations

from pathlib import Path

import pytest

from distill.labels.written.estimates import estimate, labelling_usd
from schemas.errors import ConfigError
from schemas.files.corpus import Example
from schemas.files.task import LabelSpec, Task
from schemas.settings import Settings
from stream.cli.main import main
from stream.cli.written import agree, estimate_words, labelling_words

TASK = Task("t", "en", (LabelSpec("PER"), LabelSpec("LOC")))


def test_the_estimate_tells_each_pass_and_the_limit() -> None:
    words = estimate_words(estimate(TASK, 500), Settings(), max_usd=2.0)
    assert words.startswith("500 texts by gpt-4.1-mini: about ")
    for told in ("planning $", "writing $", "labelling $", "doubting $", "of $2.00 at most"):
        assert told in words
    assert "may end it early" not in words
    assert "may end it early" in estimate_words(estimate(TASK, 500), Settings(), max_usd=0.01)


def test_labels_of_written_texts_in_batches_are_priced_so_and_said_to_take_their_time() -> None:
    batch = {"purposes": ["bootstrap"], "price_share": 0.5}
    settings = Settings.model_validate({"teacher": {"batch": batch}})
    found = estimate(TASK, 500)
    live, batched = found.usd(Settings()), found.usd(settings)
    assert batched == live | {"labelling": live["labelling"] / 2}
    assert labelling_usd(TASK, 500, settings) == batched["labelling"]
    words = estimate_words(found, settings, max_usd=2.0)
    assert f"labelling ${batched['labelling']:,.2f}, doubting" in words
    assert "labelled in batches that may take 24h each, of $2.00" in words


def test_the_estimate_of_a_file_names_what_it_may_cost_where_that_is_said() -> None:
    texts = [Example(str(n), f"Ada {n}", ()) for n in range(9)]
    words = labelling_words(texts, task=TASK, settings=Settings(), max_usd=2.0)
    assert words.endswith("of $2.00 at most, which is never passed")
    assert "at most" not in labelling_words(texts, task=TASK, settings=Settings())


def test_prices_of_another_model_are_named() -> None:
    settings = Settings.model_validate({"teacher": {"model": "other"}})
    assert "at the prices of gpt-4.1-mini" in estimate_words(estimate(TASK, 9), settings, max_usd=1)


def test_who_agreed_beforehand_is_told_and_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    agree("9 texts, $1", yes=True)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "9 texts, $1\n")


def test_nobody_agrees_where_nobody_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "empty").open("w+") as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        with pytest.raises(ConfigError, match="pass --yes"):
            agree("9 texts, $1", yes=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--write N --max-usd X --run DIR"),
        (["--write", "9"], "--write N --max-usd X --run DIR"),
        (["--write", "9", "--max-usd", "1", "--run", "R", "--labelled"], "name a file of texts"),
        (["a.jsonl", "--write", "9"], "leave the file out"),
        (["a.jsonl", "--max-usd", "1"], "go together"),
        (["a.jsonl", "--run", "R"], "go together"),
        (["a.jsonl", "--resume"], "--run DIR"),
        (["a.jsonl", "--labelled", "--max-usd", "1", "--run", "R"], "costs nothing"),
    ],
)
def test_options_that_say_nothing_together_are_refused_in_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("task.yaml").write_text("name: t\nlabels: [{name: PER}]\n", encoding="utf-8")
    with pytest.raises(SystemExit) as exited:
        main(["bootstrap", *arguments])
    lines = capsys.readouterr().err.splitlines()
    assert (exited.value.code, len(lines)) == (2, 1)
    assert message in lines[0]
