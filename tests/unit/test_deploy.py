"""The compose file and the settings beside it are valid, though no Docker engine runs here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.files.task_file import load_task
from schemas.settings import load_settings

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    parsed = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
    assert isinstance(parsed, dict)
    return parsed


def test_the_compose_file_describes_the_whole_system(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {
        "kafka",
        "schema-registry",
        "topics",
        "worker",
        "teach",
        "distill",
    }


def test_no_key_is_misspelt(compose: dict[str, Any]) -> None:
    # Docker Compose refuses what it does not know; these are the words of its specification.
    service_keys = {"build", "image", "command", "environment", "depends_on", "healthcheck"}
    service_keys |= {"ports", "restart", "volumes", "stop_grace_period"}
    health_keys = {"test", "interval", "timeout", "retries", "start_period"}
    assert {key for key in compose if not key.startswith("x-")} <= {"name", "services", "volumes"}
    for service in compose["services"].values():
        assert set(service) <= service_keys
        assert set(service.get("build", ())) <= {"context", "dockerfile", "target"}
        assert set(service.get("healthcheck", ())) <= health_keys
        for port in service.get("ports", ()):
            host, container = port.rsplit(":", 1)
            assert host.removeprefix("127.0.0.1:").isdigit()
            assert container.isdigit()


def test_services_depend_on_services_that_exist_and_can_be_healthy(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for service in services.values():
        for name, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[name]
            else:
                assert services[name]["restart"] == "no"


def test_named_volumes_are_declared(compose: dict[str, Any]) -> None:
    mounts = [mount for s in compose["services"].values() for mount in s.get("volumes", ())]
    named = {mount.split(":")[0] for mount in mounts if not mount.startswith(".")}

    assert named == set(compose["volumes"])


def test_named_volumes_lie_where_their_services_may_write(compose: dict[str, Any]) -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    made = dockerfile.split("mkdir -p ")[1].split(" && chown -R silverstream /data")[0].split()
    mounts = [mount.split(":") for mount in compose["services"]["worker"]["volumes"]]
    kafka = compose["services"]["kafka"]

    assert made == [target for source, target, *_ in mounts if not source.startswith(".")]
    assert kafka["volumes"] == [f"kafka:{kafka['environment']['KAFKA_LOG_DIRS']}"]


def test_host_folders_and_build_files_exist(compose: dict[str, Any]) -> None:
    services = compose["services"].values()
    mounts = [mount for service in services for mount in service.get("volumes", ())]
    folders = [REPOSITORY / m.split(":")[0] for m in mounts if m.startswith(".")]
    files = [
        REPOSITORY / service["build"]["dockerfile"] for service in services if "build" in service
    ]

    assert folders
    assert files
    assert all(path.exists() for path in folders + files)


def test_build_targets_are_stages_of_the_dockerfile(compose: dict[str, Any]) -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    targets = {s["build"]["target"] for s in compose["services"].values() if "build" in s}

    assert targets == {"streaming", "distill"}
    assert all(f" AS {target}" in dockerfile for target in targets)


def test_settings_and_task_load_as_the_containers_would(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in compose["services"]["worker"]["environment"].items():
        if name != "SILVERSTREAM_CONFIG":
            monkeypatch.setenv(name, value)

    settings = load_settings(DEPLOY / "compose" / "silverstream.yaml")

    assert settings.kafka.bootstrap_servers == "kafka:19092"
    assert settings.schema_registry.url == "http://schema-registry:8081"
    assert load_task(DEPLOY / "compose" / "task.yaml").label_names == ("PER", "ORG", "LOC")


def test_the_commands_of_the_services_are_commands_of_ours(compose: dict[str, Any]) -> None:
    from stream.cli.main import COMMANDS  # noqa: PLC0415 - only here

    ours = [s["command"][0] for s in compose["services"].values() if "build" in s]

    assert set(ours) <= set(COMMANDS)
