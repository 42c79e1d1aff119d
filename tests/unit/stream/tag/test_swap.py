from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from schemas.audit import AuditKeys
from schemas.errors import AuditKeyError, BundleError
from schemas.files.bundle import bundle_digest
from schemas.files.bundle_store import FolderBundleStore
from schemas.files.task import LabelSpec, Task
from schemas.types import Promotion, RoutingPolicy, policy_digest
from stream.kafka.promotions import fallbacks
from stream.student import Student
from stream.tag.batcher import Serving
from stream.tag.swap import PromotionFollower, load_serving
from stream.testing.bundles import write_bundle
from stream.testing.fake_time import NO_WAIT
from stream.testing.lanes import until
from stream.testing.messages import a_promotion
from stream.watch.metrics import Metrics

TASK = Task("test", "en", (LabelSpec("PER"),))
POLICY = RoutingPolicy(threshold=0.9, audit_share=0.0, audit_seed=0)


def _promotion(
    sequence: int, version: str, *, parent: str = "", action: str = "promote"
) -> Promotion:
    return a_promotion(
        sequence=sequence,
        parent=parent,
        action=action,
        student_version=version,
        digest=f"digest of {version}",
        location=f"test/{version}",
        policy=POLICY,
    )


class _Bench:
    """A follower whose bundles load unless they are named bad."""

    def __init__(self, *bad: str) -> None:
        self.bad = set(bad)
        self.serving: list[str] = []
        self.asked: list[str] = []
        self.metrics = Metrics()
        self.follower = PromotionFollower(
            load=self._load, install=self._install, metrics=self.metrics, backoff=NO_WAIT
        )

    async def _load(self, promotion: Promotion) -> Serving:
        self.asked.append(promotion.student_version)
        if promotion.student_version in self.bad:
            raise BundleError("a wrong digest")
        return Serving(cast("Student", promotion.student_version), POLICY, "p")

    def _install(self, serving: Serving) -> None:
        self.serving.append(cast("str", serving.student))

    def count(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"silverstream_{name}")


async def test_the_newest_student_of_the_history_serves() -> None:
    bench = _Bench()
    await bench.follower.catch_up([_promotion(1, "v1"), _promotion(2, "v2", parent="v1")])
    assert bench.serving == ["v2"]
    assert bench.follower.caught_up
    assert bench.follower.loaded.is_set()


async def test_without_a_history_nothing_serves_but_it_is_caught_up() -> None:
    bench = _Bench()
    await bench.follower.catch_up([])
    assert bench.follower.caught_up
    assert not bench.follower.loaded.is_set()


async def test_a_bundle_that_does_not_load_leaves_the_old_student_serving() -> None:
    bench = _Bench("v2")
    await bench.follower.catch_up([_promotion(1, "v1")])
    assert not await bench.follower.follow(_promotion(2, "v2", parent="v1"))
    assert bench.serving == ["v1"]
    assert bench.follower.current == _promotion(1, "v1")
    assert bench.count("swap_failures_total") == 1
    assert bench.count("swaps_total") == 1


async def test_what_was_missed_of_a_history_that_is_lost_is_let_go() -> None:
    bench = _Bench("v7")
    await bench.follower.catch_up([_promotion(1, "v1")])
    assert not await bench.follower.follow(_promotion(7, "v7", parent="v1"))
    assert await bench.follower.follow(_promotion(1, "v5"))  # the topic began anew
    assert bench.follower.missed is None


async def test_a_student_of_a_new_history_that_does_not_load_is_tried_again() -> None:
    bench = _Bench("v5", "v7")
    await bench.follower.catch_up([_promotion(1, "v1")])
    await bench.follower.follow(_promotion(7, "v7", parent="v1"))
    again = _promotion(1, "v5")
    assert not await bench.follower.follow(again)
    assert bench.follower.missed == again


@pytest.fixture
async def bench() -> AsyncIterator[_Bench]:
    """A follower that tries again at once what it missed, and has missed v2."""
    made = _Bench("v2")
    await made.follower.catch_up([_promotion(1, "v1"), _promotion(2, "v2", parent="v1")])
    retrying = asyncio.create_task(made.follower.retry_missed())
    yield made
    retrying.cancel()
    await asyncio.wait([retrying])


async def test_a_bundle_whose_files_come_late_is_tried_again(bench: _Bench) -> None:
    assert bench.serving == ["v1"]
    bench.bad.clear()
    await until(lambda: bench.serving == ["v1", "v2"])


async def test_a_missed_student_is_let_go_once_a_newer_one_serves(bench: _Bench) -> None:
    await bench.follower.follow(_promotion(3, "v3"))
    bench.bad.clear()
    tried = bench.count("swap_failures_total")
    await asyncio.sleep(0.05)
    assert bench.serving == ["v1", "v3"]
    assert bench.count("swap_failures_total") == tried


async def test_trying_again_ends_when_it_is_cancelled_amid_a_load() -> None:
    loading = asyncio.Event()
    bench = _Bench("v1")
    await bench.follower.catch_up([_promotion(1, "v1")])

    async def load(_: Promotion) -> Serving:
        loading.set()
        await asyncio.Event().wait()
        raise BundleError("not yet")

    bench.follower.load = load
    retrying = asyncio.create_task(bench.follower.retry_missed())
    await loading.wait()
    retrying.cancel()
    await asyncio.wait([retrying], timeout=60)
    assert retrying.cancelled()


async def test_a_new_worker_goes_back_to_the_newest_student_that_loads() -> None:
    bench = _Bench("v3")
    history = [_promotion(1, "v1"), _promotion(2, "v2"), _promotion(3, "v3")]
    await bench.follower.catch_up(history)
    assert bench.serving == ["v2"]


def test_a_student_that_was_rolled_back_is_no_fallback() -> None:
    history = [
        _promotion(1, "v1"),
        _promotion(2, "v2", parent="v1"),
        _promotion(3, "v1", parent="v2", action="rollback"),
    ]
    assert [p.student_version for p in fallbacks(history)] == ["v1"]


def test_a_student_promoted_again_after_its_rollback_is_one() -> None:
    history = [
        _promotion(1, "v1"),
        _promotion(2, "v2", parent="v1"),
        _promotion(3, "v1", parent="v2", action="rollback"),
        _promotion(4, "v2", parent="v1"),
    ]
    assert [p.student_version for p in fallbacks(history)] == ["v2", "v1"]


async def test_a_promoted_student_serves_by_the_policy_it_was_promoted_with(tmp_path: Path) -> None:
    store = FolderBundleStore(tmp_path / "models")
    write_bundle(tmp_path / "made", labels=["PER"], words={"ada": "B-PER"})
    store.add(tmp_path / "made")
    promotion = replace(_promotion(1, "v1"), digest=bundle_digest(tmp_path / "made"))
    serving = await load_serving(store, TASK, promotion)
    assert (serving.student.version, serving.policy) == ("v1", POLICY)


async def test_a_bundle_that_fails_its_proof_is_not_loaded_here(tmp_path: Path) -> None:
    store = FolderBundleStore(tmp_path / "models")
    write_bundle(tmp_path / "made", labels=["PER"], words={"ada": "B-PER"})
    location = store.add(tmp_path / "made")
    promotion = replace(_promotion(1, "v1"), digest=bundle_digest(tmp_path / "made"))
    (tmp_path / "models" / location / "student.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match="does not match its digest"):
        await load_serving(store, TASK, promotion)


class _Hanging(_Bench):
    """Its bundles hang where they are named, until they are let go; then they are bad or sound."""

    def __init__(self, *hanging: str) -> None:
        super().__init__()
        self.hanging = {version: asyncio.Event() for version in hanging}

    async def _load(self, promotion: Promotion) -> Serving:
        if promotion.student_version in self.hanging:
            await self.hanging[promotion.student_version].wait()
        return await super()._load(promotion)


async def test_a_bundle_that_hangs_holds_up_no_later_promotion() -> None:
    bench = _Hanging("v2")
    await bench.follower.catch_up([_promotion(1, "v1")])
    hanging = asyncio.create_task(bench.follower.follow(_promotion(2, "v2", parent="v1")))
    await asyncio.sleep(0)
    assert await bench.follower.follow(_promotion(3, "v3", parent="v2"))
    assert bench.serving == ["v1", "v3"]

    bench.bad.add("v2")
    bench.hanging["v2"].set()
    assert not await hanging
    assert bench.count("swap_failures_total") == 1
    assert bench.follower.missed is None  # a newer one serves


async def test_what_loads_after_a_later_promotion_does_not_take_its_place() -> None:
    bench = _Hanging("v2")
    await bench.follower.catch_up([_promotion(1, "v1")])
    slow = asyncio.create_task(bench.follower.follow(_promotion(2, "v2", parent="v1")))
    await asyncio.sleep(0)
    await bench.follower.follow(_promotion(3, "v3", parent="v2"))
    bench.hanging["v2"].set()
    assert not await slow
    assert bench.serving == ["v1", "v3"]


async def test_a_history_that_hangs_at_its_end_is_overtaken_too() -> None:
    bench = _Hanging("v2")
    history = [_promotion(1, "v1"), _promotion(2, "v2", parent="v1")]
    catching_up = asyncio.create_task(bench.follower.catch_up(history))
    await asyncio.sleep(0)
    assert await bench.follower.follow(_promotion(3, "v3", parent="v2"))
    assert bench.follower.caught_up

    bench.bad.add("v2")
    bench.hanging["v2"].set()
    await catching_up
    assert bench.serving == ["v3"]
    assert bench.asked == ["v3", "v2"]  # what is older is not even loaded


async def test_a_sound_student_serves_where_the_promotion_after_it_does_not_load() -> None:
    bench = _Hanging("v2")
    bench.bad.add("v3")
    await bench.follower.catch_up([_promotion(1, "v1")])
    slow = asyncio.create_task(bench.follower.follow(_promotion(2, "v2", parent="v1")))
    await asyncio.sleep(0)
    assert not await bench.follower.follow(_promotion(3, "v3", parent="v2"))
    bench.hanging["v2"].set()
    assert await slow
    assert bench.serving == ["v1", "v2"]
    assert bench.follower.missed == _promotion(3, "v3", parent="v2")


OURS, THEIRS = AuditKeys.of("k" * 32), AuditKeys.of("x" * 32)


def _keyed(sequence: int, version: str, keys: AuditKeys, *, parent: str = "") -> Promotion:
    policy = keys.own(replace(POLICY, audit_share=0.1))
    promotion = _promotion(sequence, version, parent=parent)
    return replace(promotion, policy=policy, policy_digest=policy_digest(policy))


async def _with_our_key(promotion: Promotion) -> Serving:
    OURS.require(promotion.policy)
    return Serving(cast("Student", promotion.student_version), promotion.policy, "p")


async def test_a_student_whose_audits_are_drawn_with_another_key_is_not_loaded(
    tmp_path: Path,
) -> None:
    store = FolderBundleStore(tmp_path / "models")
    write_bundle(tmp_path / "made", labels=["PER"], words={"ada": "B-PER"})
    store.add(tmp_path / "made")
    digest = bundle_digest(tmp_path / "made")
    promotion = replace(_keyed(1, "v1", THEIRS), digest=digest)
    with pytest.raises(AuditKeyError, match=r"routing\.audit_key"):
        await load_serving(store, TASK, promotion, keys=OURS)
    assert (await load_serving(store, TASK, promotion, keys=THEIRS)).policy == promotion.policy
    assert (await load_serving(store, TASK, promotion)).policy == promotion.policy


async def test_a_promotion_of_another_key_leaves_the_old_policy_and_raises_the_alarm() -> None:
    bench = _Bench()
    bench.follower.load = _with_our_key
    await bench.follower.catch_up([_keyed(1, "v1", OURS)])
    assert not await bench.follower.follow(_keyed(2, "v2", THEIRS, parent="v1"))
    assert bench.serving == ["v1"]
    assert bench.count("swap_failures_total") == 1


async def test_a_worker_that_starts_with_another_key_ends_rather_than_serve_an_older_student() -> (
    None
):
    bench = _Bench()
    bench.follower.load = _with_our_key
    with pytest.raises(AuditKeyError):
        await bench.follower.catch_up([_keyed(1, "v1", OURS), _keyed(2, "v2", THEIRS, parent="v1")])
    assert not bench.serving
