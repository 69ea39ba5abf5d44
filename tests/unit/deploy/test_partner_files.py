"""Files of a listener for partners that can't be: by these Envoy would start without it, or let nobody in, and nobody would be told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from deploy.local import own_settings
from deploy.local.doctor import Doctor
from deploy.local.own_settings import FILE, WrongSettings
from deploy.local.partner_files import PartnerFiles, over_or_soon
from deploy.local.regions import LIUAN
from tests.support.partner_certificates import DAY, FOR_SERVERS, PartnersDoor, Signer

SOON = timedelta(days=30)
Spoil = Callable[[PartnersDoor, PartnerFiles], None]


@pytest.fixture
def door(tmp_path: Path) -> PartnersDoor:
    return PartnersDoor.made(tmp_path, 8443)


@pytest.fixture
def files(door: PartnersDoor) -> PartnerFiles:
    crl = door.folder / "crl.pem"
    crl.write_bytes(door.signer.revoking())
    return replace(PartnerFiles(**{key: Path(each) for key, each in door.files.items()}), crl=crl)


def test_files_that_are_what_they_are_for_have_no_fault(files: PartnerFiles) -> None:
    assert list(files.faults()) == []
    assert list(replace(files, crl=None).faults()) == []


def test_authorities_with_a_list_of_each_have_none_either(door: PartnersDoor, files: PartnerFiles) -> None:
    other = Signer("others")
    files.ca.write_bytes(door.signer.pem + other.pem)
    assert files.crl is not None
    files.crl.write_bytes(b"# of both\n" + door.signer.revoking() + other.revoking(other.sign("lost")))
    assert list(files.faults()) == []


def _of_another(door: PartnersDoor, files: PartnerFiles) -> None:
    door.root.sign("other", use=FOR_SERVERS).files(door.folder, "other")
    files.key.write_bytes((door.folder / "other.key").read_bytes())


def _encrypted(door: PartnersDoor, files: PartnerFiles) -> None:
    own = door.root.sign("other")
    wrapped = own.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    files.key.write_bytes(wrapped)


def _leaf_first(door: PartnersDoor, files: PartnerFiles) -> None:
    files.cert.write_bytes(door.root.pem + files.cert.read_bytes())


def _no_authority(door: PartnersDoor, files: PartnerFiles) -> None:
    files.ca.write_bytes(door.signer.pem + door.signer.sign("erp").pem)


def _half_listed(door: PartnersDoor, files: PartnerFiles) -> None:
    files.ca.write_bytes(door.signer.pem + Signer("others").pem)


def _written(name: str, content: bytes) -> Spoil:
    return lambda _door, files: getattr(files, name).write_bytes(content) and None


_BROKEN = b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"


@pytest.mark.parametrize(
    ("spoil", "name", "fault"),
    [
        (_written("cert", b""), "cert", "holds no certificates in PEM"),
        (_written("key", b"nothing"), "key", "holds no private key in PEM, or one that is encrypted"),
        (_encrypted, "key", "holds no private key in PEM, or one that is encrypted"),
        (_of_another, "key", "is not the key of the certificate, which must be the first in its file"),
        (_leaf_first, "key", "is not the key of the certificate, which must be the first in its file"),
        (_written("ca", b"nothing"), "ca", "holds no certificates in PEM"),
        (_no_authority, "ca", "holds what is no authority's certificate: CN=erp"),
        (_written("crl", b"-"), "crl", "holds no lists of what was revoked (X509 CRL) in PEM"),
        (_written("crl", _BROKEN), "crl", "holds no lists of what was revoked (X509 CRL) in PEM"),
        (_half_listed, "crl", "holds no list of CN=others, none of whose certificates would be taken"),
    ],
)
def test_what_can_t_be_stops_the_start_and_is_told(
    door: PartnersDoor, files: PartnerFiles, spoil: Spoil, name: str, fault: str
) -> None:
    spoil(door, files)
    assert list(files.faults()) == [(name, fault)]
    (door.folder / FILE).write_text(f'{door.settings(LIUAN.id)}crl = "{files.crl}"\n', encoding="utf-8")
    said = own_settings.read(door.folder).of(LIUAN.id).mtls
    assert said is not None
    with pytest.raises(WrongSettings) as raised:
        said.door(LIUAN.id)
    assert str(raised.value) == f"{FILE}: regions.{LIUAN.id}.mtls.{name}: {fault}"
    assert [each.what for each in Doctor(door.folder).look() if each.where == "partners"] == [
        f"regions.{LIUAN.id}.mtls.{name}: {fault}"
    ]


def test_what_is_over_or_ends_soon_is_told(door: PartnersDoor, files: PartnerFiles) -> None:
    """A list that is over keeps all partners out, as if their certificates were: that stops no start, and must be told."""
    assert files.crl is not None
    now = datetime.now(UTC)
    whole = [*over_or_soon(files, now - SOON, SOON)]
    assert whole == []
    files.crl.write_bytes(door.signer.revoking(end=now - DAY))
    door.root.sign("listener", use=FOR_SERVERS, end=now + 3 * DAY).files(door.folder, "listener")
    told = dict(over_or_soon(files, now, SOON))
    assert told == {
        f"{files.crl}: the list of CN=partners is over since {now - DAY:%F}": True,
        f"{files.cert}: the listener's certificate ends on {now + 3 * DAY:%F}": False,
    }
    assert list(files.faults()) == []
    (door.folder / FILE).write_text(f'{door.settings(LIUAN.id)}crl = "{files.crl}"\n', encoding="utf-8")
    found = {each.what: each.bad for each in Doctor(door.folder).look() if each.where == "partners"}
    assert found == told
