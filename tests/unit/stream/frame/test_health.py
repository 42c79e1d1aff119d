from __future__ import annotations

from stream.frame.health import Health, RoleHealth


def test_a_worker_is_ready_when_all_its_roles_are() -> None:
    health = Health(
        {"tag": lambda: RoleHealth(ready=True, live=True, facts={"student_version": "v1"})}
    )
    assert health.ready() == (
        True,
        {"ready": {"tag": True}, "live": {"tag": True}, "student_version": "v1"},
    )
    health.roles["teach"] = lambda: RoleHealth(ready=False, live=True)
    assert health.ready()[0] is False
    assert health.live()[0] is True


def test_a_worker_without_roles_to_ask_is_ready_and_live() -> None:
    assert Health().ready()[0]
    assert Health().live()[0]
