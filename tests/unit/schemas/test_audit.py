from __future__ import annotations

import stat
from pathlib import Path
from statistics import mean

import pytest

from schemas.audit import (
    AuditKeys,
    audit_keys,
    in_audit,
    key_digest,
    key_of_seed,
    make_audit_key,
)
from schemas.errors import AuditKeyError, ConfigError, DiskError
from schemas.settings import RoutingSettings, load_settings
from schemas.types import RoutingPolicy, policy_digest, text_digest

OLD, NEW, OTHER = ("o" * 40, "n" * 40, "x" * 40)
PUBLIC = RoutingPolicy(0.9, 0.02, 0)
DIGESTS = [text_digest(f"text {n}") for n in range(5000)]


def drawn(policy: RoutingPolicy, keys: AuditKeys) -> set[str]:
    return {digest for digest in DIGESTS if in_audit(digest, policy, keys)}


def test_who_does_not_hold_the_key_finds_no_more_audits_than_by_chance() -> None:
    keys = AuditKeys.of(NEW)
    policy = keys.own(PUBLIC)
    ours = drawn(policy, keys)
    assert 60 < len(ours) < 140  # a share of 0.02 of 5000
    guesses = [drawn(PUBLIC, keys), drawn(AuditKeys.of(OTHER).own(PUBLIC), AuditKeys.of(OTHER))]
    assert all(len(ours & guess) < 10 for guess in guesses)


def test_two_holders_of_one_key_draw_the_same() -> None:
    policy = AuditKeys.of(NEW).own(PUBLIC)
    assert drawn(policy, AuditKeys.of(NEW)) == drawn(policy, AuditKeys.of(OTHER, NEW))


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_the_sample_has_the_share_of_the_policy(share: float) -> None:
    keys = AuditKeys.of(key_of_seed(3))
    policy = keys.own(RoutingPolicy(0.9, share, 0))
    assert mean(in_audit(x, policy, keys) for x in DIGESTS) == pytest.approx(share, abs=0.02)


def test_another_seed_and_another_key_draw_another_sample() -> None:
    keys = AuditKeys.of(key_of_seed(3))
    one, other = (keys.own(RoutingPolicy(0.9, 0.5, seed)) for seed in (0, 1))
    agree = mean(in_audit(x, one, keys) == in_audit(x, other, keys) for x in DIGESTS)
    assert agree == pytest.approx(0.5, abs=0.05)
    assert key_of_seed(3) == key_of_seed(3) != key_of_seed(4)


def test_a_policy_of_another_key_is_an_error_and_never_another_sample() -> None:
    policy = AuditKeys.of(OTHER).own(PUBLIC)
    for keys in (AuditKeys.of(NEW), AuditKeys()):
        with pytest.raises(AuditKeyError, match=policy.audit_key_digest[:12]):
            in_audit(DIGESTS[0], policy, keys)
        with pytest.raises(AuditKeyError):
            keys.require(policy)


def test_a_policy_without_audits_needs_no_key() -> None:
    policy = AuditKeys.of(OTHER).own(RoutingPolicy(0.9, 0.0, 0))
    AuditKeys().require(policy)
    assert not in_audit(DIGESTS[0], policy, AuditKeys())


def test_a_policy_from_before_there_were_keys_draws_as_it_did() -> None:
    # What 0.1.0 drew and wrote under this policy.
    for keys in (AuditKeys(), AuditKeys.of(NEW)):
        found = [n for n, digest in enumerate(DIGESTS[:200]) if in_audit(digest, PUBLIC, keys)]
        assert found == [40, 81, 112, 170, 174]
    assert policy_digest(PUBLIC) == (
        "d094801f165fbe332180166021a6c8bd69b1c80356f2663463b22fced93402bf"
    )


def test_the_digest_travels_and_tells_policies_apart() -> None:
    policy = AuditKeys.of(NEW).own(PUBLIC)
    assert policy.audit_key_digest == key_digest(NEW)
    assert NEW not in policy.audit_key_digest
    assert policy_digest(policy) != policy_digest(PUBLIC)


def test_while_a_key_is_exchanged_both_draw() -> None:
    settings = RoutingSettings.model_validate({"audit_key": NEW, "audit_key_before": OLD})
    keys = audit_keys(settings)
    before = AuditKeys.of(OLD)
    policy = before.own(PUBLIC)
    assert drawn(policy, keys) == drawn(policy, before)
    assert keys.own(policy).audit_key_digest == key_digest(NEW)


def test_a_key_is_made_once_and_read_by_all(tmp_path: Path) -> None:
    settings = RoutingSettings(audit_key_file=tmp_path / "state" / "audit.key")
    assert not audit_keys(settings).newest
    assert make_audit_key(settings)
    first = audit_keys(settings)
    assert not make_audit_key(settings)
    assert audit_keys(settings).newest == first.newest != ""
    assert stat.S_IMODE(settings.audit_key_file.stat().st_mode) == 0o600
    assert [path.name for path in settings.audit_key_file.parent.iterdir()] == ["audit.key"]


def test_a_key_that_is_set_stands_before_the_file(tmp_path: Path) -> None:
    file = RoutingSettings(audit_key_file=tmp_path / "audit.key")
    make_audit_key(file)
    given = RoutingSettings.model_validate(file.model_dump() | {"audit_key": NEW})
    assert audit_keys(given).newest == key_digest(NEW)
    assert not make_audit_key(given)


def test_a_file_without_a_key_and_one_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    path.write_text("short\n")
    with pytest.raises(ConfigError, match="holds no key"):
        audit_keys(RoutingSettings(audit_key_file=path))
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match=r"audit\.key"):
        make_audit_key(RoutingSettings(audit_key_file=tmp_path / "file" / "audit.key"))


def test_a_key_that_could_be_guessed_is_refused_and_never_quoted() -> None:
    with pytest.raises(ConfigError, match=r"routing\.audit_key.*32 characters") as refused:
        load_settings(routing={"audit_key": "canary"})
    assert "canary" not in str(refused.value)
    assert RoutingSettings.model_validate({"audit_key": ""}).audit_key is None
    shown = repr(RoutingSettings.model_validate({"audit_key": NEW})) + repr(AuditKeys.of(NEW))
    assert NEW not in shown
