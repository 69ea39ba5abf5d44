"""Certificates of people, issued and used by openssl: whose are taken, and which are not."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Certificate, Crl, TrustPolicy
from libs.crypto.x509.signed import unarmor_all
from libs.ids.synthetic import SyntheticPopulation
from services.identity.config import SignInCertificates
from services.identity.signin.authorities import AuthorityFiles
from services.identity.signin.certificates import (
    SET,
    SIGN_IN,
    Authorities,
    CertificateNotJudged,
    CertificateRefused,
    ShownCertificate,
    shown,
    signed_text,
)
from services.identity.signin.rules import session_level, vouched
from tests.support.usb_keys import Authority, UsbKey

_TEXT = signed_text("https://region.test", SIGN_IN, "x" * 43)
_NUMBER = SyntheticPopulation("341500", province="34").person().citizen_id


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Somebody whose certificates are taken."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def key(authority: Authority) -> UsbKey:
    """Somebody's key."""
    return authority.issue(number=_NUMBER)


def _trusted(authority: Authority, *, lists: bytes = b"") -> Authorities:
    root, issuing = (Certificate.parse(der) for der in unarmor_all(authority.pem, "CERTIFICATE"))
    crls = tuple(Crl.parse(der) for der in unarmor_all(lists, "X509 CRL")) if lists else ()
    return Authorities(TrustPolicy((root,), crls, require_crl=bool(lists)), (issuing,))


def _judged(answer: str, authorities: Authorities, *, text: str = _TEXT, days: float = 1) -> ShownCertificate:
    # The certificates were made a moment ago, by the machine's clock.
    at = authorities.policy.anchors[0].not_before + timedelta(days=days)
    return shown(answer, text, authorities, at, default_provider())


def test_a_certificate_of_a_trusted_authority_that_signed_what_was_asked_for_is_taken(
    authority: Authority, key: UsbKey
) -> None:
    said = _judged(key.answer(_TEXT), _trusted(authority, lists=authority.lists()))
    assert said.resident_number == _NUMBER
    assert said.certificate.der == key.der
    renewed = authority.issue(key=key)
    again = _judged(renewed.answer(_TEXT), _trusted(authority))
    assert (again.key, again.resident_number) == (said.key, ""), "known again by its key, whatever certificate it has"
    assert _judged(authority.issue().answer(_TEXT), _trusted(authority)).key != said.key


@pytest.mark.parametrize("wrapped", ["SET", "PLAIN"])
def test_the_number_is_read_however_it_is_wrapped(authority: Authority, wrapped: str) -> None:
    found = authority.issue(number=_NUMBER, wrapped=wrapped)
    assert Certificate.parse(found.der).resident_number == _NUMBER


def test_two_numbers_are_none(authority: Authority) -> None:
    found = authority.issue(number=f"{_NUMBER} 11010119900307757X", wrapped="PLAIN")
    assert Certificate.parse(found.der).resident_number == ""


@pytest.mark.parametrize(
    "text",
    [
        signed_text("https://region.test", SET, "x" * 43),
        signed_text("https://other.test", SIGN_IN, "x" * 43),
        signed_text("https://region.test", SIGN_IN, "y" * 43),
        "x" * 43,
    ],
    ids=["for something else", "elsewhere", "another time", "bare"],
)
def test_what_was_signed_for_something_else_is_worth_nothing(authority: Authority, key: UsbKey, text: str) -> None:
    with pytest.raises(CertificateRefused):
        _judged(key.answer(text), _trusted(authority))


def test_a_certificate_of_others_is_not_taken(authority: Authority, tmp_path: Path) -> None:
    others = Authority(tmp_path / "others")  # by the same names
    with pytest.raises(CertificateRefused):
        _judged(others.issue().answer(_TEXT), _trusted(authority))


def test_a_certificate_with_anothers_signature_is_not_taken(authority: Authority, key: UsbKey) -> None:
    mine, theirs = authority.issue(), json.loads(key.answer(_TEXT))
    mixed = json.dumps({**theirs, "signature": json.loads(mine.answer(_TEXT))["signature"]})
    with pytest.raises(CertificateRefused):
        _judged(mixed, _trusted(authority))


@pytest.mark.parametrize(
    "made",
    [{"usage": "keyEncipherment,dataEncipherment"}, {"purposes": "emailProtection"}, {"purposes": "codeSigning"}],
    ids=["the other of two certificates, which decrypts", "mail alone", "code"],
)
def test_a_certificate_for_other_purposes_is_not_taken(authority: Authority, made: dict[str, str]) -> None:
    with pytest.raises(CertificateRefused):
        _judged(authority.issue(**made).answer(_TEXT), _trusted(authority))  # type: ignore[arg-type]


def test_one_that_says_no_purposes_is_taken_and_one_of_an_authority_not(authority: Authority) -> None:
    assert _judged(authority.issue(purposes="").answer(_TEXT), _trusted(authority)).certificate.purposes is None
    with pytest.raises(CertificateRefused):
        _judged(UsbKey(authority.folder, "issuing").answer(_TEXT), _trusted(authority))


@pytest.mark.parametrize("days", [-1, 3651])
def test_outside_its_time_it_is_not_taken(authority: Authority, key: UsbKey, days: float) -> None:
    with pytest.raises(CertificateRefused):
        _judged(key.answer(_TEXT), _trusted(authority), days=days)


def test_one_that_was_revoked_is_not_taken_and_without_a_list_that_holds_none_is(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    lost, kept = authority.issue(), authority.issue()
    authority.revoke(lost)
    lists = authority.lists(days=30)
    with pytest.raises(CertificateRefused):
        _judged(lost.answer(_TEXT), _trusted(authority, lists=lists))
    assert _judged(kept.answer(_TEXT), _trusted(authority, lists=lists))
    with pytest.raises(CertificateNotJudged):
        _judged(kept.answer(_TEXT), _trusted(authority, lists=lists), days=31)
    (first, *_) = unarmor_all(lists, "X509 CRL")
    of_the_root_alone = replace(_trusted(authority), policy=_policy_with(authority, Crl.parse(first)))
    with pytest.raises(CertificateNotJudged):
        _judged(kept.answer(_TEXT), of_the_root_alone)


def _policy_with(authority: Authority, crl: Crl) -> TrustPolicy:
    return replace(_trusted(authority).policy, crls=(crl,), require_crl=True)


def _broken(answer: str) -> Iterator[str]:
    said = json.loads(answer)
    yield ""
    yield "[]"
    yield "null"
    yield "{" * 5000
    yield answer[:-1]
    for name in said:
        yield json.dumps({other: value for other, value in said.items() if other != name})
        for value in ("", "AAAA", "!!!!", None, 5, ["AAAA"], said[name][: len(said[name]) // 2], "A" * 40_000):
            yield json.dumps({**said, name: value})


def test_what_can_not_be_read_is_refused_and_nothing_else_happens(authority: Authority, key: UsbKey) -> None:
    for broken in _broken(key.answer(_TEXT)):
        with pytest.raises(CertificateRefused):
            _judged(broken, _trusted(authority))


def test_how_far_it_is_believed() -> None:
    assert [vouched(4, 2, named=named) for named in (True, False)] == [4, 2]
    assert [vouched(3, 4, named=named) for named in (True, False)] == [3, 3]
    assert session_level(4, ("pop",), (4,)) == 4
    assert session_level(2, ("pop",), (4,)) == 2, "no further than the person is known"


def _section(authority: Authority, folder: Path, **more: Path) -> SignInCertificates:
    (folder / "authorities.pem").write_bytes(authority.pem)
    (folder / "lists.pem").write_bytes(authority.lists())
    files = {"authorities": folder / "authorities.pem", "crl": folder / "lists.pem", "script": folder / "devices.js"}
    return SignInCertificates(**{**files, **more})  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_lists_are_read_anew_when_they_change_and_what_is_wrong_changes_nothing(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    files = AuthorityFiles(_section(authority, tmp_path))
    assert [len(crl.entries) for crl in (await files.now()).policy.crls] == [0, 0]
    authority.revoke(authority.issue())
    (tmp_path / "lists.pem").write_bytes(authority.lists())
    assert [len(crl.entries) for crl in (await files.now()).policy.crls] == [1, 1]
    (tmp_path / "lists.pem").write_text("gone wrong on its way")
    assert [len(crl.entries) for crl in (await files.now()).policy.crls] == [1, 1]
    (tmp_path / "lists.pem").unlink()
    assert [len(crl.entries) for crl in (await files.now()).policy.crls] == [1, 1]


def test_files_that_are_wrong_stop_the_start(authority: Authority, tmp_path: Path) -> None:
    good, wrong = _section(authority, tmp_path), tmp_path / "wrong.pem"
    assert AuthorityFiles(good)
    below = (authority.folder / "issuing.pem").read_bytes()
    for text in (b"", b"no PEM", authority.lists(), below):
        wrong.write_bytes(text)
        with pytest.raises(ValueError, match=r"wrong\.pem"):
            AuthorityFiles(good.model_copy(update={"authorities": wrong}))
    wrong.write_bytes(authority.pem)
    with pytest.raises(ValueError, match=r"wrong\.pem"):
        AuthorityFiles(good.model_copy(update={"crl": wrong}))


@pytest.mark.parametrize("origin", ["https://127.0.0.1:9443", "wss://127.0.0.1:1234", "https://keys.test"])
def test_origins_that_the_devices_script_may_call(authority: Authority, tmp_path: Path, origin: str) -> None:
    section = _section(authority, tmp_path)
    assert SignInCertificates.model_validate({**section.model_dump(), "connect": [origin]}).connect == (origin,)
    for wrong in (f"{origin}/path", f"{origin};script-src *", f"{origin} *", "*", "https://", "data:", "'self'"):
        with pytest.raises(ValueError, match="connect"):
            SignInCertificates.model_validate({**section.model_dump(), "connect": [wrong]})
