"""What the images install is what pyproject.toml asks for, each of it by digest."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IMAGES = ("s3", "gcs", "azure", "signatures")


def pinned(lock: Path) -> dict[str, list[str]]:
    """The versions that a lock pins by name; several where they differ by Python."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(
        r"^([\w.-]+)==([^\s;]+)", lock.read_text("utf-8"), re.MULTILINE
    ):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("deploy/locks/streaming.lock", IMAGES),
        ("deploy/locks/distill.lock", (*IMAGES, "distill")),
        ("requirements-dev.lock", ("distill", "embedded", "demo")),
    ],
)
def test_a_lock_has_all_that_is_asked_for_within_its_bounds(
    lock: str, extras: tuple[str, ...]
) -> None:
    pins = pinned(ROOT / lock)
    asked = [*PROJECT["dependencies"]]
    for extra in extras:
        asked += PROJECT["optional-dependencies"][extra]
    for one in map(Requirement, asked):
        name = canonicalize_name(one.name)
        if name == "silverstream":
            continue
        assert name in pins, f"{lock} lacks {name}: make lock"
        outside = [version for version in pins[name] if version not in one.specifier]
        assert not outside, (
            f"{lock} pins {name} {outside}, which pyproject.toml excludes: make lock"
        )


def test_the_streaming_image_has_no_torch() -> None:
    pins = pinned(ROOT / "deploy/locks/streaming.lock")
    assert not {"torch", "transformers", "onnx"} & pins.keys()


@pytest.mark.parametrize("lock", sorted((ROOT / "deploy/locks").iterdir()), ids=lambda x: x.name)
def test_every_pin_has_its_digest_and_no_lock_names_a_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    pins = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in pin for pin in pins)
    assert "://" not in text


def test_every_action_is_named_by_its_commit() -> None:
    workflows = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").glob("*.yml")
    )
    uses = re.findall(r"uses: (\S+)", workflows)
    assert uses
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one) for one in uses), uses
