from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.environment import OTHERS, refuse_misspelt, variables
from schemas.errors import ConfigError
from schemas.renamed_settings import RENAMED
from schemas.settings import Settings

KNOWN = variables(Settings, RENAMED)
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SILVERSTREAM_TEACHER__MODLE", "SILVERSTREAM_TEACHER__MODEL"),
        ("SILVERSTREAM_TEACHER_MODEL", "SILVERSTREAM_TEACHER__MODEL"),
        ("SILVERSTREAM__TEACHER__MODEL", "SILVERSTREAM_TEACHER__MODEL"),
        ("SILVERSTREAM_TEECHER__MODEL", "SILVERSTREAM_TEACHER__MODEL"),
        ("silverstream_teacher__modle", "SILVERSTREAM_TEACHER__MODEL"),
        ("SILVERSTEAM_TEACHER__MODEL", "SILVERSTREAM_TEACHER__MODEL"),
        ("SILVERSTREAM_CONFG", "SILVERSTREAM_CONFIG"),
        ("SILVERSTREAM_DISTILL__RECIPE_LAYERS", "SILVERSTREAM_DISTILL__RECIPE__LAYERS"),
        ("SILVERSTREAM_NOTHING_LIKE_IT", "config show"),
        ("SILVERSTREAM_WEB_SERVICE_HOSTS", "is no setting"),
    ],
)
def test_a_misspelt_variable_is_refused_with_what_was_meant(name: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        refuse_misspelt({name: "canary", "PATH": "/bin"}, KNOWN)
    assert f"{name.upper()} is no setting" in str(caught.value)
    assert meant in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(KNOWN | OTHERS | {"SILVERSTREAMER_X", "SILVER", "PATH"}))
def test_what_is_known_or_not_ours_passes(name: str) -> None:
    refuse_misspelt({name: "", name.lower(): ""}, KNOWN)


def test_what_kubernetes_adds_for_a_service_of_our_name_passes() -> None:
    service = {
        "SILVERSTREAM_WEB_SERVICE_HOST": "10.0.0.1",
        "SILVERSTREAM_WEB_SERVICE_PORT": "6066",
        "SILVERSTREAM_WEB_SERVICE_PORT_HTTP": "6066",
        "SILVERSTREAM_WEB_PORT": "tcp://10.0.0.1:6066",
        "SILVERSTREAM_WEB_PORT_6066_TCP_ADDR": "10.0.0.1",
        "SILVERSTREAM_SERVICE_HOST": "10.0.0.2",
        "SILVERSTREAM_PORT": "tcp://10.0.0.2:80",
    }
    refuse_misspelt(service, KNOWN)
    with pytest.raises(ConfigError, match="SILVERSTREAM_WEB__PORT"):
        refuse_misspelt({"SILVERSTREAM_WEB_PORT": "6067"}, KNOWN)


def test_every_variable_that_we_tell_people_of_is_known() -> None:
    files = [ROOT / "README.md", ROOT / "Makefile", ROOT / "docker-compose.yml"]
    files += [x for folder in ("docs", "deploy") for x in (ROOT / folder).rglob("*") if x.is_file()]
    told = {
        name
        for file in files
        for name in re.findall(
            r"SILVERSTREAM_[A-Z0-9_]*[A-Z0-9]", file.read_text("utf-8", "ignore")
        )
    }
    assert told - KNOWN - OTHERS == set()
