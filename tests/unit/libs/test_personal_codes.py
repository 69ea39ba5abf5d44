"""The form of personal codes, and the check of them without asking anybody: also by OpenSSL, which knows nothing of us."""

import base64
import string
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.jwk import ECKey

from libs import personal_codes
from libs.client import codes as carried
from libs.documents.qr import qr_runs
from libs.personal_codes import CodeContent, CodeRefused

NOW = 1_732_000_000
KEY = ECKey.generate_key("P-256")
OTHER = ECKey.generate_key("P-256")


def _jwk(key: ECKey) -> dict[str, Any]:
    return dict(key.as_dict(private=False)) | {"kid": "any name"}


def _signed_by(key: ECKey) -> Any:
    secret = key.private_key
    assert secret is not None
    return lambda data: secret.sign(data, ec.ECDSA(SHA256()))


CONTENT = CodeContent("wanzhi", personal_codes.key_part(_jwk(KEY)), NOW, 3, b"\x01" * 49)
CODE = personal_codes.write(CONTENT, _signed_by(KEY))
KEYS = personal_codes.keys_of("wanzhi", [_jwk(KEY)])


def _rule(text: str, now: float = NOW, keys: Any = None) -> str:
    try:
        personal_codes.check(text, KEYS if keys is None else keys, now)
    except CodeRefused as error:
        return error.rule
    return ""


def test_what_was_written_is_read() -> None:
    assert personal_codes.check(CODE, KEYS, NOW) == CONTENT
    assert carried.check is personal_codes.check


def test_a_key_is_named_by_its_thumbprint() -> None:
    """RFC 7638, as joserfc makes it."""
    thumbprint = base64.urlsafe_b64decode(KEY.thumbprint() + "=")
    assert personal_codes.key_part(_jwk(KEY)) == thumbprint[:8]


def test_the_longest_fits_a_qr_code_of_version_10() -> None:
    """Version 10 has 57 modules a side; ISO/IEC 18004, table 7: 271 bytes at level L, 213 at level M."""
    longest = personal_codes.write(replace(CONTENT, region="a" * 32), _signed_by(KEY))
    assert (len(longest), len(CODE)) == (220, 186)
    assert len(longest) < 271
    # That draws at level M, as printed licences do.
    modules, _ = qr_runs(CODE)
    assert modules <= 57


@pytest.mark.parametrize(
    ("now", "rule"),
    [
        (NOW - 5.001, "early"),
        (NOW - 5, ""),
        (NOW, ""),
        (NOW + 64.999, ""),
        (NOW + 65, "expired"),
    ],
)
def test_it_holds_for_a_minute_and_the_leeway_of_clocks(now: float, rule: str) -> None:
    assert _rule(CODE, now) == rule


def test_every_character_counts() -> None:
    """Wherever one is changed the code holds no more: nobody reads it as two things."""
    for place, character in enumerate(CODE):
        changed = CODE[:place] + ("A" if character != "A" else "B") + CODE[place + 1 :]
        assert _rule(changed) in ("form", "key", "signature"), place
    alphabet = string.ascii_letters + string.digits + "-_"
    assert [each for each in alphabet if _rule(CODE[:-1] + each) == ""] == [CODE[-1]]
    for cut in (
        CODE[:-1],
        CODE[1:],
        f"{CODE}A",
        f" {CODE}",
        f"{CODE}\n",
        f"{CODE}=",
        "",
        "tbc1..",
        CODE.replace(".", ""),
    ):
        assert _rule(cut) == "form"


def test_the_key_is_that_of_the_region_and_the_code() -> None:
    assert _rule(CODE, keys={}) == "key"
    assert _rule(CODE, keys=personal_codes.keys_of("elsewhere", [_jwk(KEY)])) == "key"
    assert _rule(CODE, keys=personal_codes.keys_of("wanzhi", [_jwk(OTHER)])) == "key"
    wrong = {("wanzhi", CONTENT.key): next(iter(personal_codes.keys_of("wanzhi", [_jwk(OTHER)]).values()))}
    assert _rule(CODE, keys=wrong) == "signature"
    assert _rule(personal_codes.write(CONTENT, _signed_by(OTHER))) == "signature"


@pytest.mark.parametrize(
    "wrong", [{"region": "-a"}, {"region": "A1"}, {"region": "a"}, {"assurance": 5}, {"handle": b""}]
)
def test_what_says_something_that_cant_be_is_no_code(wrong: dict[str, Any]) -> None:
    made = replace(CONTENT, **wrong)
    assert _rule(personal_codes.write(made, _signed_by(KEY))) == "form"


def test_both_signatures_of_one_content_are_one_code() -> None:
    again = personal_codes.write(CONTENT, _signed_by(KEY))
    assert again != CODE
    assert personal_codes.read(again).id == personal_codes.read(CODE).id
    other = personal_codes.write(replace(CONTENT, handle=b"\x02" * 49), _signed_by(KEY))
    assert personal_codes.read(other).id != personal_codes.read(CODE).id
    assert len(personal_codes.read(CODE).id) == 16


def test_nothing_is_read_that_is_too_long() -> None:
    assert _rule("tbc1." + "A" * 300 + "." + "A" * 86) == "form"


def test_openssl_agrees(tmp_path: Path) -> None:
    """What is signed is the text before the last dot; the rest is r and s."""
    signed, _, signature = CODE.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    public = KEY.public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(public)
    (tmp_path / "signature").write_bytes(encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:])))
    for text, status in ((signed, 0), (signed[:-1], 1)):
        (tmp_path / "signed").write_text(text, encoding="ascii")
        command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "signed"]
        assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == status


def test_joserfc_agrees() -> None:
    """ES256 of RFC 7518 is the same signature: joserfc's own algorithm takes it over the same bytes."""
    signed, _, signature = CODE.rpartition(".")
    es256 = jws.JWSRegistry.algorithms["ES256"]
    raw = base64.urlsafe_b64decode(signature + "==")
    assert es256.verify(signed.encode(), raw, KEY)
    assert not es256.verify(signed.encode() + b".", raw, KEY)
