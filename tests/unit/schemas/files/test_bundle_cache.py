from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import BundleError, StoreUnavailableError
from schemas.files.bundle import bundle_digest
from schemas.files.bundle_cache import BundleCache
from stream.testing.bundles import write_bundle


def cache(folder: Path, *, keep: int = 2) -> BundleCache:
    return BundleCache(folder / "cache", keep=keep, wait_s=0.2)


def keep_one(kept: BundleCache, folder: Path, version: str) -> str:
    write_bundle(folder / version, labels=["PER"], words={"ada": "B-PER"}, version=version)
    digest = bundle_digest(folder / version)
    with kept.alone(), kept.fresh(digest) as place:
        for file in (folder / version).iterdir():
            (place / file.name).write_bytes(file.read_bytes())
    return digest


def test_a_whole_bundle_is_found_by_its_digest_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    digest = keep_one(kept, tmp_path, "v1")
    found = kept.find(digest)
    assert found == tmp_path / "cache" / digest
    (found / "tokenizer.json").write_bytes(b"{}")
    assert kept.find(digest) is None


def test_a_bundle_under_another_digest_is_not_found(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    digest = keep_one(kept, tmp_path, "v1")
    (tmp_path / "cache" / digest).rename(tmp_path / "cache" / ("f" * 64))
    assert kept.find("f" * 64) is None


@pytest.mark.parametrize("digest", ["", "..", "../../etc", f"../{'f' * 61}", "F" * 64])
def test_what_is_no_digest_names_no_folder(tmp_path: Path, digest: str) -> None:
    with pytest.raises(BundleError, match="not the digest of a bundle"):
        cache(tmp_path).find(digest)


def test_the_bundles_that_were_used_last_stay(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    first, second = (keep_one(kept, tmp_path, version) for version in ("v1", "v2"))
    kept.find(first)
    third = keep_one(kept, tmp_path, "v3")
    assert kept.count() == 2
    assert kept.find(second) is None
    assert kept.find(first)
    assert kept.find(third)


def test_a_download_that_fails_or_was_killed_leaves_nothing(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    (tmp_path / "cache" / ".fetching-killed").mkdir(parents=True)
    with pytest.raises(BundleError), kept.alone(), kept.fresh("f" * 64):
        raise BundleError("cut off")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_one_downloads_at_a_time_and_the_others_do_not_wait_for_ever(tmp_path: Path) -> None:
    with (
        cache(tmp_path).alone(),
        pytest.raises(StoreUnavailableError, match="another process"),
        cache(tmp_path).alone(),
    ):
        pass
    with cache(tmp_path).alone():
        pass


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with (
        pytest.raises(StoreUnavailableError, match="cannot write the cache"),
        cache(tmp_path).alone(),
    ):
        pass
