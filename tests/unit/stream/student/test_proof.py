from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import BundleError
from schemas.files.bundle import bundle_digest
from stream.student.proof import prove
from stream.testing.bundles import write_bundle
from stream.testing.lanes import until

ROOT = Path(__file__).parents[4]


def made(folder: Path) -> tuple[Path, str]:
    write_bundle(folder, labels=["PER"], words={"ada": "B-PER"})
    return folder, bundle_digest(folder)


async def test_a_sound_bundle_is_proved(tmp_path: Path) -> None:
    await prove(*made(tmp_path / "made"))


async def test_a_bundle_that_is_refused_is_refused_in_the_same_words(tmp_path: Path) -> None:
    folder, digest = made(tmp_path / "made")
    (folder / "student.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"student\.onnx does not match its digest"):
        await prove(folder, digest)


async def test_another_bundle_in_its_place_is_not_what_is_proved(tmp_path: Path) -> None:
    folder, _ = made(tmp_path / "made")
    with pytest.raises(BundleError, match="was replaced"):
        await prove(folder, "0" * 64)


async def test_a_bundle_that_explodes_ends_its_proof_and_not_us(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"its proof died|memory"):
        await prove(*made(tmp_path / "made"), most_bytes=2**20)


async def test_a_bundle_that_hangs_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="did not load within"):
        await prove(*made(tmp_path / "slow"), limit_s=0.001)


async def test_a_proof_that_is_cancelled_ends_its_child(tmp_path: Path) -> None:
    folder, digest = made(tmp_path / "made")
    proving = asyncio.create_task(prove(folder, digest))
    await until(lambda: bool(children_with(digest)))
    proving.cancel()
    await asyncio.wait([proving])
    assert proving.cancelled()
    assert not children_with(digest)


def environment(process: str) -> bytes:
    return Path(f"/proc/{process}/environ").read_bytes()


def children_with(word: str) -> list[str]:
    """Processes that have the word on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            told = path.read_bytes()
        except OSError:
            continue
        if word.encode() in told:
            found.append(path.parent.name)
    return found


def test_a_child_without_a_parent_ends_too() -> None:
    code = "from stream.student.proof import limit_this_process as limit; limit(1, 2**32)"
    command = [sys.executable, "-c", f"{code}\nwhile True: pass"]
    done = subprocess.run(command, check=False, timeout=60)
    assert done.returncode < 0


async def test_the_child_sees_none_of_our_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SILVERSTREAM_TEACHER__API_KEY", "sk-canary")
    folder, digest = made(tmp_path / "made")
    proving = asyncio.create_task(prove(folder, digest))
    await until(lambda: bool(children_with(digest)))
    told = environment(children_with(digest)[0])
    await proving
    assert b"PATH=" in told
    assert b"canary" not in told


async def test_what_lies_in_the_working_directory_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stream").mkdir()
    (tmp_path / "stream/__init__.py").write_text("raise SystemExit(1)\n")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.chdir(tmp_path)
    await prove(*made(tmp_path / "made"))
