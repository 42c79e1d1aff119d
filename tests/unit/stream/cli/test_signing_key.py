from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.errors import ConfigError, DiskError
from schemas.settings import KafkaSettings
from stream.cli.signing_key import signing_key
from stream.kafka.signatures import Signatures


def test_a_key_is_made_once_for_its_owner_alone_and_its_public_one_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "key"
    signing_key(file)
    first = capsys.readouterr().out.strip()
    assert file.stat().st_mode & 0o777 == 0o600
    signing_key(file)
    assert capsys.readouterr().out.strip() == first

    ours = Signatures.of(KafkaSettings(signing_key=SecretStr(file.read_text().strip())))
    others = Signatures.of(KafkaSettings(trusted_keys=(first,)))
    topic = "silverstream.promotions"
    assert others.fault(topic, b"k", b"v", ours.headers(topic, b"k", b"v")) == ""


def test_a_file_that_holds_no_key_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("notes")
    with pytest.raises(ConfigError, match="must be an Ed25519 key"):
        signing_key(file)
    assert file.read_text() == "notes"


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="cannot write"):
        signing_key(tmp_path / "none" / "key")
