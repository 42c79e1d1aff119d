"""Workers and rounds whose bundles live in S3, over real HTTP that breaks."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import fsspec
import pytest
from structlog.testing import capture_logs

from schemas.errors import BundleError, StoreDeniedError, StoreUnavailableError
from schemas.files.bundle import bundle_digest, read_bundle
from schemas.files.bundle_store import BundleStore, open_bundle_store
from schemas.files.task import LabelSpec, Task
from schemas.settings import StudentSettings
from schemas.types import Promotion
from stream.student.promoted import load_promoted
from stream.tag.batcher import Serving
from stream.tag.swap import PromotionFollower, load_serving
from stream.testing.bundles import write_bundle
from stream.testing.fake_time import NO_WAIT
from stream.testing.fault_proxy import FaultProxy
from stream.testing.lanes import until
from stream.testing.messages import a_promotion
from stream.testing.s3_server import BUCKET
from stream.watch.metrics import Metrics

NUMBERS = itertools.count()
DENIED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Place:
    """A bucket's folder, the way to it, and promotions of what was put there."""

    folder: Path
    proxy: FaultProxy
    url: str
    _made: dict[tuple[str, float], BundleStore] = field(default_factory=dict)

    def store(self, machine: str = "one", timeout_s: float = 60.0) -> BundleStore:
        if (machine, timeout_s) not in self._made:  # a session of S3 takes seconds to begin
            self._made[machine, timeout_s] = self.new_store(machine, timeout_s)
        return self._made[machine, timeout_s]

    def new_store(self, machine: str = "one", timeout_s: float = 60.0) -> BundleStore:
        return open_bundle_store(
            StudentSettings(
                registry=self.url,
                registry_timeout_s=timeout_s,
                cache=self.folder / machine,
                cache_bundles=2,
            )
        )

    def promoted(self, sequence: int, words: int = 1) -> Promotion:
        version = f"v{sequence}"
        made = self.folder / "made" / version
        write_bundle(
            made,
            labels=["PER"],
            words={f"name{number}": "B-PER" for number in range(words)},
            task="test",
            version=version,
        )
        location = self.store("distill").add(made)
        digest = bundle_digest(made)
        return a_promotion(
            sequence=sequence, student_version=version, location=location, digest=digest
        )


TASK = Task("test", "en", (LabelSpec("PER"),))


@pytest.fixture
def place(s3_proxy: FaultProxy, tmp_path: Path) -> Place:
    return Place(tmp_path, s3_proxy, f"s3://{BUCKET}/worker-{next(NUMBERS)}")


class Worker:
    """The part of a tag worker that follows promotions."""

    def __init__(self, store: BundleStore) -> None:
        self.serving: list[str] = []
        self.follower = PromotionFollower(
            load=partial(load_serving, store, TASK),
            install=self._install,
            metrics=Metrics(),
            backoff=NO_WAIT,
        )

    def _install(self, serving: Serving) -> None:
        self.serving.append(serving.student.version)


async def test_a_first_student_is_waited_for_while_the_store_is_away(place: Place) -> None:
    promotion = place.promoted(1)
    place.proxy.begin(refused=True)
    worker = Worker(place.store(timeout_s=2))
    await worker.follower.catch_up([promotion])
    assert worker.serving == []
    retrying = asyncio.create_task(worker.follower.retry_missed())
    place.proxy.heal()
    await until(lambda: worker.serving == ["v1"])
    retrying.cancel()


async def test_the_old_student_serves_on_while_the_store_is_away_and_then_the_new_one_does(
    place: Place,
) -> None:
    first, second = place.promoted(1), place.promoted(2)
    worker = Worker(place.store(timeout_s=2))
    await worker.follower.catch_up([first])
    place.proxy.begin(silent=True)
    assert not await worker.follower.follow(second)
    assert worker.serving == ["v1"]
    retrying = asyncio.create_task(worker.follower.retry_missed())
    place.proxy.heal()
    await until(lambda: worker.serving == ["v1", "v2"])
    retrying.cancel()


async def test_a_worker_that_starts_while_the_store_is_away_serves_what_it_has(
    place: Place,
) -> None:
    first, second, third = (place.promoted(number) for number in (1, 2, 3))
    load_promoted(place.store(), TASK, first)
    place.proxy.begin(refused=True)
    worker = Worker(place.store(timeout_s=2))
    await worker.follower.catch_up([first, second, third])
    assert worker.serving == ["v1"]
    assert worker.follower.missed == third


async def test_the_loop_is_not_blocked_by_a_store_that_does_not_answer(place: Place) -> None:
    promotion = place.promoted(1)
    place.proxy.begin(silent=True)
    worker = Worker(place.store(timeout_s=3))
    beats = 0
    following = asyncio.create_task(worker.follower.follow(promotion))
    while not following.done():
        await asyncio.sleep(0.01)
        beats += 1
    assert not following.result()
    assert beats > 10


def test_a_store_that_does_not_answer_is_given_up_after_a_while(place: Place) -> None:
    promotion = place.promoted(1)
    place.proxy.begin(silent=True)
    with pytest.raises(StoreUnavailableError, match=r"did not answer within 0\.5 s"):
        load_promoted(place.store(timeout_s=0.5), TASK, promotion)


def test_an_answer_that_drips_is_given_up_like_one_that_does_not_come(place: Place) -> None:
    promotion = place.promoted(1)
    place.proxy.begin(drip_s=0.02)  # each byte comes in time: the whole answer does not
    store, began = place.store(timeout_s=0.5), time.monotonic()
    with pytest.raises(StoreUnavailableError, match=r"did not answer within 0\.5 s"):
        load_promoted(store, TASK, promotion)
    with pytest.raises(StoreUnavailableError):
        place.new_store("distill", timeout_s=0.5).add(place.folder / "made" / "v1")
    assert time.monotonic() - began < 30
    assert [path.name for path in (place.folder / "one").iterdir()] == [".lock"]


async def test_the_old_student_serves_on_while_the_new_one_drips(place: Place) -> None:
    first, second = place.promoted(1), place.promoted(2)
    load_promoted(place.store(), TASK, first)
    worker = Worker(place.store(timeout_s=1))
    await worker.follower.catch_up([first])
    place.proxy.begin(drip_s=0.02)
    assert not await worker.follower.follow(second)
    assert worker.serving == ["v1"]
    retrying = asyncio.create_task(worker.follower.retry_missed())
    place.proxy.heal()
    await until(lambda: worker.serving == ["v1", "v2"])
    retrying.cancel()


def test_students_of_a_long_history_do_not_each_wait_for_a_store_that_is_away(
    place: Place,
) -> None:
    promotion = place.promoted(1)
    place.proxy.begin(silent=True)
    store = place.store(timeout_s=0.5)
    with pytest.raises(StoreUnavailableError):
        load_promoted(store, TASK, promotion)
    made = place.proxy.connections
    for _ in range(20):
        with pytest.raises(StoreUnavailableError):
            load_promoted(store, TASK, promotion)
    assert place.proxy.connections == made


@pytest.mark.parametrize("n_bytes", [300, 2000])
def test_an_answer_that_is_cut_off_leaves_nothing_behind(place: Place, n_bytes: int) -> None:
    promotion = place.promoted(1, words=500)
    place.proxy.begin(cut_after=n_bytes)
    with pytest.raises(StoreUnavailableError):
        load_promoted(place.store(timeout_s=2), TASK, promotion)
    assert [path.name for path in (place.folder / "one").iterdir()] == [".lock"]
    place.proxy.heal()
    assert load_promoted(place.store(), TASK, promotion).digest == promotion.digest


def test_a_store_that_refuses_us_is_told_from_one_that_is_away(place: Place) -> None:
    promotion = place.promoted(1)
    place.proxy.begin(canned=DENIED)
    with pytest.raises(StoreDeniedError, match=r"s3://silverstream/worker-\d+/test/v1/manifest"):
        load_promoted(place.store(), TASK, promotion)
    with pytest.raises(StoreDeniedError, match="credentials"):
        place.store().look("test")


def test_a_bundle_is_downloaded_once(place: Place) -> None:
    promotion = place.promoted(1)
    load_promoted(place.store(), TASK, promotion)
    place.proxy.begin(refused=True)
    assert load_promoted(place.store(), TASK, promotion).digest == promotion.digest


def test_workers_of_one_machine_download_a_bundle_once(place: Place) -> None:
    promotion = place.promoted(1)
    before = place.proxy.connections
    place.store("another").fetch(promotion.location, promotion.digest)
    once = place.proxy.connections - before
    stores = [place.new_store() for _ in range(4)]
    found: list[Path] = []

    def fetch(store: BundleStore) -> None:
        found.append(store.fetch(promotion.location, promotion.digest))

    threads = [threading.Thread(target=fetch, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [place.folder / "one" / promotion.digest] * 4
    assert place.proxy.connections == before + 2 * once


def test_the_cache_keeps_the_bundles_that_were_used_last(place: Place) -> None:
    promotions = [place.promoted(number) for number in (1, 2, 3)]
    for promotion in (*promotions[:2], promotions[0], promotions[2]):
        load_promoted(place.store(), TASK, promotion)
    left = {path.name for path in (place.folder / "one").iterdir()} - {".lock"}
    assert left == {promotions[0].digest, promotions[2].digest}


def test_a_bundle_that_was_damaged_in_the_cache_is_downloaded_anew(place: Place) -> None:
    promotion = place.promoted(1)
    store = place.store()
    (store.fetch(promotion.location, promotion.digest) / "student.onnx").write_bytes(b"damaged")
    assert load_promoted(store, TASK, promotion).digest == promotion.digest


def test_an_upload_that_breaks_is_no_bundle_and_the_next_try_ends_it(place: Place) -> None:
    made = place.folder / "made"
    write_bundle(made, labels=["PER"], words={"ada": "B-PER"}, task="test", version="v1")
    place.proxy.begin(cut_after=600)
    with pytest.raises(StoreUnavailableError):
        place.store(timeout_s=2).add(made)
    place.proxy.heal()
    with pytest.raises(BundleError, match="its upload did not end"):
        place.store().fetch("test/v1", bundle_digest(made))
    location = place.store().add(made)
    assert read_bundle(place.store().fetch(location, bundle_digest(made))).digest


def test_an_object_that_is_exchanged_while_it_is_read_is_refused(place: Place) -> None:
    first, second = place.promoted(1), place.promoted(2, words=3)
    fs = fsspec.filesystem("s3", skip_instance_cache=True)
    root = place.url.removeprefix("s3://")
    fs.copy(f"{root}/test/v2/student.onnx", f"{root}/test/v1/student.onnx")
    with pytest.raises(BundleError, match=r"v1/student\.onnx does not match its digest"):
        load_promoted(place.store(), TASK, first)
    assert load_promoted(place.store(), TASK, second).version == "v2"


async def test_what_is_logged_of_a_store_names_no_secret(tmp_path: Path) -> None:
    url = "ftp://user:hunter2@127.0.0.1:9/models?sig=hunter3"
    settings = StudentSettings(registry=url, registry_timeout_s=5, cache=tmp_path)
    worker = Worker(open_bundle_store(settings))
    with capture_logs() as logs:
        await worker.follower.catch_up([a_promotion(digest="f" * 64)])
    (failed,) = [log for log in logs if log["event"] == "swap_failed"]
    assert "ftp://127.0.0.1:9/models" in failed["message"]
    assert "hunter" not in str(logs)
