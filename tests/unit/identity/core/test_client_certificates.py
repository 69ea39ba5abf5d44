"""Certificates of clients: which are taken, when they hold, when it is told that they end, and what they are called."""

import base64
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from libs.errors import InvalidArgument
from services.identity.core import client_rules
from services.identity.core.certificate_reading import checked_certificates, thumbprint_of
from services.identity.core.client_certificates import ClientCertificate
from services.identity.core.client_rules import Client, ClientAuthMethod, ClientKind, ClientState, certificates_due
from tests.support.partner_certificates import DAY, FOR_SERVERS, HeldCertificate, Signer
from tests.unit.identity.records import client

SIGNER = Signer("partners")
NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)
END = NOW + 90 * DAY
SECOND = timedelta(seconds=1)


def _signed(**more: Any) -> HeldCertificate:
    return SIGNER.sign("erp", **{"start": NOW - DAY, "end": END, **more})


def _kept(end: datetime = END, **more: Any) -> ClientCertificate:
    (kept,) = checked_certificates([_signed(end=end, **more).der], "client.certificates", NOW)
    return kept


def _certified(*certificates: ClientCertificate, **more: Any) -> Client:
    method = ClientAuthMethod.TLS_CLIENT_AUTH
    return client("erp", ClientKind.PARTNER, auth_method=method, certificates=certificates, **more)


def test_the_thumbprint_is_what_openssl_says() -> None:
    der = _signed().der
    command = ("openssl", "x509", "-inform", "DER", "-noout", "-fingerprint", "-sha256")
    told = subprocess.run(command, input=der, capture_output=True, check=True).stdout.decode()
    digest = bytes.fromhex(told.partition("=")[2].strip().replace(":", ""))
    assert base64.urlsafe_b64decode(f"{thumbprint_of(der)}=") == digest


def test_what_is_kept_says_whose_it_is_and_until_when() -> None:
    kept = _kept()
    assert (kept.subject, kept.not_after, kept.told) == ("CN=erp", END, 0)
    assert kept.bound == f"x5t#S256:{kept.thumbprint}"
    assert ClientCertificate.of_json(kept.to_json()) == kept


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
    ],
)
def test_keys_that_are_taken(key: Any) -> None:
    assert _kept(key=key).holds(NOW)


def test_a_certificate_that_says_nothing_of_its_use_is_taken() -> None:
    assert _kept(use=None).holds(NOW)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"key": ec.generate_private_key(ec.SECP521R1())}, "certificate.key"),
        ({"key": rsa.generate_private_key(65537, 1024)}, "certificate.key"),
        ({"key": dsa.generate_private_key(2048)}, "certificate.key"),
        ({"key": ed25519.Ed25519PrivateKey.generate()}, "certificate.key"),
        ({"use": FOR_SERVERS}, "certificate.use"),
        ({"ca": True}, "certificate.authority"),
        ({"end": NOW}, "certificate.over"),
    ],
)
def test_what_is_no_certificate_of_a_client_is_refused(wrong: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        checked_certificates([_signed(**wrong).der], "client.certificates", NOW)
    (found,) = raised.value.violations
    assert (found.field, found.rule) == ("client.certificates[0].certificate", rule)


def test_what_is_no_certificate_is_refused() -> None:
    good = _signed()
    for der in (b"\x30", good.pem, good.der + b"\0", good.der[:-1]):
        with pytest.raises(InvalidArgument) as raised:
            checked_certificates([good.der, der], "certificates", NOW)
        (found,) = raised.value.violations
        assert (found.field, found.rule) == ("certificates[1].certificate", "certificate.form")


def test_no_such_version_is_refused() -> None:
    """Version 2 has no extensions (RFC 5280, 4.1.2.1), and nobody gives such certificates out."""
    der = _signed().der
    # TBSCertificate's first field is [0] { INTEGER 2 }, which is version 3.
    (place,) = (at for at in range(20) if der[at:].startswith(b"\xa0\x03\x02\x01\x02"))
    for version in (1, 3, 127):
        with pytest.raises(InvalidArgument) as raised:
            checked_certificates([der[: place + 4] + bytes([version]) + der[place + 5 :]], "certificates", NOW)
        assert raised.value.violations[0].rule == "certificate.form"


@pytest.mark.parametrize("name", ["erp\nCN=bank", "erp\x1b[2J", "erp\x85", "e" * 64 + "\x7f"])
def test_nobody_is_called_by_control_characters(name: str) -> None:
    """The name is shown to people, and written into terminals."""
    with pytest.raises(InvalidArgument) as raised:
        checked_certificates([SIGNER.sign(name[-64:], start=NOW - DAY, end=END).der], "certificates", NOW)
    assert raised.value.violations[0].rule == "certificate.form"


def test_one_stands_there_once() -> None:
    der = _signed().der
    with pytest.raises(InvalidArgument) as raised:
        checked_certificates([der, der], "certificates", NOW)
    (found,) = raised.value.violations
    assert (found.field, found.rule) == ("certificates", "certificate.once")


def test_a_client_shows_one_of_its_own_while_it_is_good() -> None:
    first, second, other = _kept(), _kept(), _kept()
    mine = _certified(first, second)
    assert [mine.shows(each.bound, NOW) for each in (first, second, other)] == [True, True, False]
    assert not mine.shows("", NOW)
    assert mine.shows(first.bound, END)
    assert not mine.shows(first.bound, END + SECOND)
    assert mine.shows(first.bound, first.not_before)
    assert not mine.shows(first.bound, first.not_before - SECOND)


def test_those_before_a_rotation_are_shown_until_the_overlap_is_over() -> None:
    old, new = _kept(), _kept()
    mine = _certified(new, old_certificates=(old,), overlap_expire_time=NOW + DAY)
    assert mine.shows(old.bound, NOW + DAY - SECOND)
    assert not mine.shows(old.bound, NOW + DAY)
    assert not replace(mine, overlap_expire_time=None).shows(old.bound, NOW)


@pytest.mark.parametrize(
    ("left", "told", "due"),
    [
        (31 * DAY, 0, 0),
        (30 * DAY, 0, 30),
        (29 * DAY, 30, 0),
        (7 * DAY, 30, 7),
        (3 * DAY, 0, 7),
        (DAY, 7, 1),
        (SECOND, 1, 0),
        (timedelta(), 7, 0),
        (-SECOND, 7, 0),
    ],
)
def test_of_each_end_it_is_told_in_time(left: timedelta, told: int, due: int) -> None:
    ending, lasting = replace(_kept(), told=told), _kept(END + 300 * DAY)
    found = certificates_due(_certified(ending, lasting), END - left)
    assert found == ({ending.thumbprint: due} if due else {})


def test_of_who_gets_no_tokens_nothing_is_told() -> None:
    ending = _certified(_kept())
    assert certificates_due(ending, END - DAY)
    assert not certificates_due(replace(ending, state=ClientState.SUSPENDED), END - DAY)
    assert not certificates_due(replace(ending, expire_time=END - DAY), END - DAY)


@pytest.mark.parametrize(
    ("auth", "keys", "certificates"),
    [
        (ClientAuthMethod.TLS_CLIENT_AUTH, False, False),
        (ClientAuthMethod.PRIVATE_KEY_JWT, True, True),
        (ClientAuthMethod.CLIENT_SECRET, False, True),
    ],
)
def test_certificates_go_with_their_method(auth: ClientAuthMethod, keys: bool, certificates: bool) -> None:
    with pytest.raises(InvalidArgument) as caught:
        client_rules.check_credentials(
            ClientKind.PARTNER, auth, has_keys=keys, has_certificates=certificates, has_assertion_right=False
        )
    assert caught.value.violations[0].field == "client.certificates"


def test_no_channel_is_known_by_a_certificate() -> None:
    method, kind = ClientAuthMethod.TLS_CLIENT_AUTH, ClientKind.CHANNEL
    with pytest.raises(InvalidArgument) as caught:
        client_rules.check_credentials(kind, method, has_keys=False, has_certificates=True, has_assertion_right=True)
    assert caught.value.violations[0].field == "client.auth_method"
    client_rules.check_credentials(
        ClientKind.SYSTEM, method, has_keys=False, has_certificates=True, has_assertion_right=False
    )
