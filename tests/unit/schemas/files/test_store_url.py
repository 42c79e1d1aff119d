from __future__ import annotations

from pathlib import Path

import pytest

from schemas.files.store_url import child, harmless, shown, store_root


@pytest.mark.parametrize("url", ["s3://b/models", "gs://b", "abfs://c@a.host/m", "memory://m"])
def test_a_url_stays_as_it_is(url: str) -> None:
    assert store_root(url) == url


@pytest.mark.parametrize("folder", ["models", "/data/models", "./s3", "c/d:e"])
def test_what_is_no_url_is_a_folder(folder: str) -> None:
    assert store_root(folder) == Path(folder)


@pytest.mark.parametrize("value", [Path("s3://b/models"), "s3:/b", "S3://b", "s3://b m", "://x"])
def test_what_is_nearly_a_url_makes_no_folder(value: object) -> None:
    with pytest.raises(ValueError, match="neither a folder nor a URL"):
        store_root(value)


def test_login_and_query_are_not_shown() -> None:
    for login in ("me:secret", "me:sec/secret", "me:s@secret", "me:?secret"):
        assert shown(f"sftp://{login}@host/models?sig='secret'#secret") == "sftp://host/models"


@pytest.mark.parametrize(
    "words",
    [
        "cannot open https://me:secret@host/x",
        "cannot open https://me:a/secret@secret@host/x",
        "GET https://host/x?X-Amz-Signature=secret&y=secret failed",
        "url='https://host/x?sv=secret'",
        "refused: AccessKey=secret",
    ],
)
def test_what_a_driver_says_is_told_without_what_may_be_secret(words: str) -> None:
    told = harmless(OSError(words))
    assert told.startswith("OSError: ")
    assert "secret" not in told


def test_a_signature_stays_at_the_end_of_what_lies_below() -> None:
    assert child("https://host/models/?sig=x", "a", "b") == "https://host/models/a/b?sig=x"
