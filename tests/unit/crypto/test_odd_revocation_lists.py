"""Revocation lists as others make them: in any form of BER, to the same meaning as for the openssl command."""

import random
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from libs.crypto.errors import MalformedCertificate
from libs.crypto.provider import SoftwareSigner
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Crl, DistinguishedName, RevocationReason, RevokedEntry, Validity, make_crl, make_root
from tests.support import ber

PROVIDER = default_provider()
KEY = SoftwareSigner(PROVIDER, PROVIDER.sm2_generate())
START = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = make_root(KEY, DistinguishedName("测试"), Validity.days(START, 900))
ENTRIES = tuple(
    RevokedEntry(1000 + place, START + timedelta(days=place), reason, START if place % 2 else None)
    for place, reason in enumerate(RevocationReason)
)
PLAIN = make_crl(ROOT, KEY, 7, START, START + timedelta(days=30), ENTRIES)
ALGORITHM = ber.shortest(0x30, bytes.fromhex("06082a811ccf55018375"))


def encoded(form: ber.Forms, tbs: bytes = PLAIN.tbs) -> bytes:
    """The list in ``form``, signed as it then is."""
    signed = ber.anew(tbs, form)
    rest = ber.anew(ALGORITHM + ber.shortest(0x03, b"\0" + KEY.sign(signed)), form)
    return form(0x30, signed + rest)


def told(der: bytes, folder: Path) -> str | None:
    """What the command says of a list; None where it can't read it."""
    (folder / "c.der").write_bytes(der)
    command = ["openssl", "crl", "-inform", "DER", "-in", str(folder / "c.der"), "-noout", "-text"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    return done.stdout if done.returncode == 0 else None


def test_a_list_in_any_form_is_the_same_list(tmp_path: Path) -> None:
    compared = 0
    for seed in range(30):
        der = encoded(ber.any_form(random.Random(seed)))
        read = Crl.parse(der)
        assert replace(read, der=b"") == replace(PLAIN, der=b"")
        assert (read.number, read.this_update, read.next_update) == (7, PLAIN.this_update, PLAIN.next_update)
        assert read.entries == {entry.serial_number: entry for entry in ENTRIES}
        PROVIDER.sm2_verify(ROOT.public_key, read.tbs, read.signature)
        text = told(der, tmp_path)
        if text is not None:
            compared += 1
            assert text.count("Serial Number:") == len(ENTRIES)
    assert compared > 20


@pytest.mark.parametrize("form", [ber.endless, ber.longer])
def test_forms_that_are_not_der(form: ber.Forms, tmp_path: Path) -> None:
    der = encoded(form)
    assert told(der, tmp_path) is not None
    assert Crl.parse(der).entries == PLAIN.entries


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        # A number of a reason that only a delta has; a critical mark; the number under another identifier; no version 2.
        (bytes.fromhex("0a0101"), bytes.fromhex("0a0108")),
        (bytes.fromhex("0603551d14"), bytes.fromhex("0603551d15")),
        (bytes.fromhex("020101300a"), bytes.fromhex("020100300a")),
    ],
)
def test_what_a_list_must_not_be(was: bytes, becomes: bytes) -> None:
    assert was in PLAIN.tbs
    with pytest.raises(MalformedCertificate):
        Crl.parse(encoded(ber.shortest, PLAIN.tbs.replace(was, becomes, 1)))


def test_what_passes_the_budget_is_refused() -> None:
    for der in (b"\x30\x80" * 3_000, ber.shortest(0x30, bytes((6, 0x82, 1, 0)) + b"\x2a" * 256), bytes(17 << 20)):
        with pytest.raises(MalformedCertificate):
            Crl.parse(der)
