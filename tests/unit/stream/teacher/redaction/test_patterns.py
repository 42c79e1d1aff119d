"""What is found by its form alone."""

from __future__ import annotations

import pytest

from stream.teacher.redaction.patterns import emails, secrets, written_ids


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("write to jane.doe+x@mail.example.co.uk, please", "jane.doe+x@mail.example.co.uk"),
        ("<bob@intranet.lan>", "bob@intranet.lan"),
        ("jürgen@müller.de!", "jürgen@müller.de"),
        ("root@[192.168.0.1]", "root@[192.168.0.1]"),
        ("jane (at) example (dot) org", "jane (at) example (dot) org"),
    ],
)
def test_email_addresses_are_found_whole(text: str, address: str) -> None:
    assert [text[a:b] for a, b, _ in emails(text)] == [address]


def test_a_handle_is_no_email_address() -> None:
    assert list(emails("@jane said to @bob: meet @ noon")) == []


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("AKIAIOSFODNN7EXAMPLE is the key", "AKIAIOSFODNN7EXAMPLE"),
        (
            "use ghp_abcdefghijklmnopqrstuvwxyz0123",
            "ghp_abcdefghijklmnopqrstuvwxyz0123",
        ),
        ("sk-proj-Abcdefghijklmnop1234.", "sk-proj-Abcdefghijklmnop1234"),
        ("postgres://bob:s3cret@db/x", "s3cret"),
        ("password: hunter2!", "hunter2!"),
        ("api_key=abcdef99", "abcdef99"),
        ('{"client_secret": "Zq81xx"}', "Zq81xx"),
        ("my password is hunter22 now", "hunter22"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl"),
        ("0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
    ],
)
def test_keys_and_passwords_are_found(text: str, secret: str) -> None:
    assert {text[a:b] for a, b, _ in secrets(text)} == {secret}


@pytest.mark.parametrize(
    "text",
    ["The secret is out", "a token of love", "Pass: no", "keyboard", "skate-park", "api key"],
)
def test_words_about_secrets_are_none(text: str) -> None:
    assert list(secrets(text)) == []


def test_a_number_without_check_digits_is_told_by_the_words_before_it() -> None:
    text = "his SSN: 536904399, her NINO ab 12 34 56 c, lot 536904399"
    found = [text[a:b] for a, b, _ in written_ids(text, frozenset({"us", "gb"}))]
    assert found == ["536904399", "ab 12 34 56 c"]
    assert list(written_ids(text, frozenset())) == []
