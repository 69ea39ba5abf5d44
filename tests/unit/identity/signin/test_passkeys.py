"""What passkeys are for, how they are judged, and what a session by one stands for."""

import json
from typing import Any

import pytest
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from libs.errors import FailedPrecondition
from services.identity.signin import passkeys
from services.identity.signin.passkeys import (
    MadePasskey,
    PasskeyKey,
    PasskeyRefused,
    RelyingParty,
    ShownPasskey,
    relying_party,
    user_handle,
)
from services.identity.signin.rules import (
    BOUND_PASSKEY,
    KEPT_PASSKEY,
    LONGEST_NAME,
    MOST_PASSKEYS,
    check_passkeys,
    is_copied,
    passkey_name,
    session_level,
)
from tests.support.soft_passkeys import IS_KEPT, MAY_BE_KEPT, USER_PRESENT, USER_VERIFIED, SoftPasskey

_PARTY = RelyingParty("example.org", "https://example.org")


@pytest.mark.parametrize(
    ("url", "party"),
    [
        ("https://gw.example.gov.cn", RelyingParty("gw.example.gov.cn", "https://gw.example.gov.cn")),
        ("https://GW.example.gov.cn:8443", RelyingParty("gw.example.gov.cn", "https://gw.example.gov.cn:8443")),
        ("http://localhost:8080", RelyingParty("localhost", "http://localhost:8080")),
        ("https://example.org:443", RelyingParty("example.org", "https://example.org")),
        ("http://example.org:80/", RelyingParty("example.org", "http://example.org")),
        ("http://127.0.0.1:8080", None),
        ("https://[2001:db8::1]", None),
        ("", None),
    ],
)
def test_passkeys_are_for_the_host_of_the_public_address_where_it_is_a_name(
    url: str, party: RelyingParty | None
) -> None:
    assert relying_party(url) == party


def test_an_owner_is_the_bytes_of_the_accounts_id() -> None:
    person = "persons/0191f0a0-0000-7000-8000-00000000002a"
    assert user_handle(person) == bytes.fromhex("0191f0a000007000800000000000002a")


@pytest.mark.parametrize(
    ("known", "said", "copied"),
    [(0, 0, False), (0, 1, False), (5, 6, False), (5, 100, False), (5, 5, True), (5, 4, True), (5, 0, True)],
)
def test_a_counter_goes_up_or_never_counts(known: int, said: int, copied: bool) -> None:
    assert is_copied(known, said) is copied


@pytest.mark.parametrize("methods", [BOUND_PASSKEY, KEPT_PASSKEY])
@pytest.mark.parametrize(("account", "set_at", "level"), [(4, 4, 3), (2, 4, 2), (4, 2, 2), (3, 3, 3)])
def test_a_passkey_stands_for_level_three_at_most(
    methods: tuple[str, ...], account: int, set_at: int, level: int
) -> None:
    assert session_level(account, methods, (set_at,)) == level


def test_the_words_are_those_of_rfc_8176() -> None:
    assert (BOUND_PASSKEY, KEPT_PASSKEY) == (("hwk", "user", "mfa"), ("swk", "user", "mfa"))


def test_twenty_are_enough() -> None:
    check_passkeys(19)
    with pytest.raises(FailedPrecondition) as refused:
        check_passkeys(20)
    assert (MOST_PASSKEYS, refused.value.reason, refused.value.metadata) == (
        20,
        "PASSKEY_LIMIT_REACHED",
        {"limit": "20"},
    )


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("  我的 \n 手机\x00 ", "我的 手机"),
        ("x" * 60, "x" * 50),
        ("x" * 49 + " yy", "x" * 49),
        (" \t\u202e", ""),
    ],
)
def test_a_name_is_one_short_line(typed: str, name: str) -> None:
    assert LONGEST_NAME == 50
    assert passkey_name(typed) == name


def _options(challenge: str) -> dict[str, object]:
    return {"challenge": challenge, "rp": {"id": _PARTY.id}, "user": {"id": "AQID"}}


def test_what_was_made_is_shown_and_judged() -> None:
    device = SoftPasskey(_PARTY.origin, counter=3)
    found = passkeys.made(device.made(_options("AAEC")), "AAEC", _PARTY)
    assert (found.key.credential_id, found.sign_count) == (device.id, 3)
    assert PasskeyKey.of_text(found.key.text()) == found.key
    answer = device.shown({"challenge": "BAUG"})
    assert passkeys.named(answer) == passkeys.NamedPasskey(device.id, b"\x01\x02\x03")
    assert passkeys.shown(answer, b"\x04\x05\x06", _PARTY, found.key) == ShownPasskey(4, kept=False)
    device.flags = USER_PRESENT | USER_VERIFIED | MAY_BE_KEPT | IS_KEPT
    assert passkeys.shown(device.shown({"challenge": "BAUG"}), b"\x04\x05\x06", _PARTY, found.key).kept


def _made_by(device: SoftPasskey, party: RelyingParty = _PARTY, **client: object) -> MadePasskey:
    return passkeys.made(device.made(_options("AAEC"), **client), "AAEC", party)


@pytest.mark.parametrize(
    "device",
    [
        SoftPasskey("https://example.org.evil.test"),
        SoftPasskey("https://example.org:8443"),
        SoftPasskey("http://example.org"),
        SoftPasskey(_PARTY.origin, rp_id="evil.test"),
        SoftPasskey(_PARTY.origin, flags=USER_PRESENT),
        SoftPasskey(_PARTY.origin, flags=USER_VERIFIED),
        SoftPasskey(_PARTY.origin, flags=USER_PRESENT | USER_VERIFIED | IS_KEPT),
        SoftPasskey(_PARTY.origin, id=b"x" * 1024),
        SoftPasskey(_PARTY.origin, id=b""),
    ],
)
def test_what_is_not_as_it_was_asked_for_is_not_added(device: SoftPasskey) -> None:
    with pytest.raises(PasskeyRefused):
        _made_by(device)


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "https://example.org.evil.test"},
        {"rp_id": "evil.test"},
        {"flags": USER_PRESENT},
        {"flags": USER_VERIFIED},
        {"flags": USER_PRESENT | USER_VERIFIED | IS_KEPT},
    ],
)
def test_what_is_not_as_it_was_asked_for_is_not_taken(lie: dict[str, Any]) -> None:
    device = SoftPasskey(_PARTY.origin)
    key = _made_by(device).key
    passkeys.shown(device.shown({"challenge": "BAUG"}), b"\x04\x05\x06", _PARTY, key)
    for name, value in lie.items():
        setattr(device, name, value)
    with pytest.raises(PasskeyRefused):
        passkeys.shown(device.shown({"challenge": "BAUG"}), b"\x04\x05\x06", _PARTY, key)


def test_the_longest_id_is_taken() -> None:
    assert len(_made_by(SoftPasskey(_PARTY.origin, id=b"x" * 1023)).key.credential_id) == 1023


@pytest.mark.parametrize(
    "answer",
    ["", "null", "[]", "{", "{}", "[" * 20_000, '{"id": 1}', '{"id":"é","rawId":"é","type":"x","response":{}}'],
)
def test_what_can_not_be_read_is_refused_and_nothing_else(answer: str) -> None:
    with pytest.raises(PasskeyRefused):
        passkeys.made(answer, "AAEC", _PARTY)
    with pytest.raises(PasskeyRefused):
        passkeys.named(answer)
    with pytest.raises(PasskeyRefused):
        passkeys.shown(answer, b"x", _PARTY, PasskeyKey(b"", b""))


@pytest.mark.parametrize("cbor", [b"\x5b" + b"\xff" * 8, b"\x9b" + b"\x7f" * 8, b"\xbb" + b"\x7f" * 8, b"\x81" * 5_000])
def test_an_attestation_that_is_longer_than_it_is_or_nested_too_deep_is_refused(cbor: bytes) -> None:
    device = SoftPasskey(_PARTY.origin)
    told = json.loads(device.made(_options("AAEC")))
    told["response"]["attestationObject"] = bytes_to_base64url(cbor)
    with pytest.raises(PasskeyRefused):
        passkeys.made(json.dumps(told), "AAEC", _PARTY)


def test_a_passkey_that_says_not_whose_it_is_is_not_named() -> None:
    device = SoftPasskey(_PARTY.origin)
    with pytest.raises(PasskeyRefused):
        passkeys.named(device.shown({"challenge": "BAUG"}))


def test_every_byte_of_what_was_signed_counts() -> None:
    device = SoftPasskey(_PARTY.origin)
    key = _made_by(device).key
    told = json.loads(device.shown({"challenge": "BAUG"}))
    for field in ("authenticatorData", "signature", "clientDataJSON"):
        data = bytearray(base64url_to_bytes(told["response"][field]))
        for place in {0, len(data) // 2, len(data) - 1}:
            changed = bytes([*data[:place], data[place] ^ 1, *data[place + 1 :]])
            response = told["response"] | {field: bytes_to_base64url(changed)}
            with pytest.raises(PasskeyRefused):
                passkeys.shown(json.dumps(told | {"response": response}), b"\x04\x05\x06", _PARTY, key)
