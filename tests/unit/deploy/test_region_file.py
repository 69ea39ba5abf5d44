"""A region's file: what any program makes of its bytes, and nothing that is cut short, changed, or another release's."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from deploy.local import region_file
from deploy.local.region_file import NotTaken
from libs.crypto.sm3 import sm3
from tests.support.region_files import file_of

FILE = file_of("320402")
Damage = Callable[[dict[str, Any]], object]


def test_a_file_says_what_the_region_has_said() -> None:
    assert region_file.read(FILE.content) == FILE


def test_the_fingerprint_is_what_any_program_makes_of_the_bytes() -> None:
    digests = {"SM3": sm3(FILE.content).hex(), "SHA-256": hashlib.sha256(FILE.content).hexdigest()}
    assert FILE.fingerprints == digests


@pytest.mark.parametrize("algorithm", ["SM3", "SHA-256"])
@pytest.mark.parametrize(
    "typed",
    [
        "{digits}",
        "{upper}",
        "{groups}",
        "{colons}",
        "{algorithm} {groups}",
        "{algorithm}:{digits}",
        " {groups}\n",
    ],
)
def test_a_fingerprint_is_taken_as_people_write_it(algorithm: str, typed: str) -> None:
    digits = FILE.fingerprints[algorithm]
    pairs = [digits[place : place + 2] for place in range(0, 64, 2)]
    forms = {"digits": digits, "upper": digits.upper(), "groups": " ".join(pairs), "colons": ":".join(pairs)}
    FILE.require(typed.format(algorithm=algorithm, **forms))


def test_no_file_that_was_cut_short_is_taken() -> None:
    """Cut at any byte: it does not read, or has another fingerprint."""
    for end in range(len(FILE.content)):
        with pytest.raises(NotTaken, match="cut short" if end < len(FILE.content) - 1 else "changed on its way"):
            region_file.read(FILE.content[:end]).require(FILE.fingerprints["SM3"])


def _set(path: str, value: Any) -> Damage:
    *way, last = path.split(".")

    def damage(content: dict[str, Any]) -> None:
        for name in way:
            content = content[name]
        content[last] = value

    return damage


def _without(path: str) -> Damage:
    *way, last = path.split(".")

    def damage(content: dict[str, Any]) -> None:
        for name in way:
            content = content[name]
        del content[last]

    return damage


OTHERS: dict[str, tuple[Damage, str]] = {
    "a later release's": (_set("version", 2), "by another release: its version is 2"),
    "without version": (_without("version"), "by another release"),
    "with a field of later": (_set("region.anchor.pqKeys", []), "by another release"),
    "with a list": (_set("region", []), "says nothing of a region"),
    "with a number for a text": (_set("region.displayName", 7), "by another release"),
    "no region's": (_set("format", "other"), "is no region's"),
    "without format": (_without("format"), "is no region's"),
    "with terms": (_set("region.inbound", {"maxAssurance": 4}), "does not say of itself: inbound"),
    "with a state": (_set("region.state", "REGION_STATE_ACTIVE"), "does not say of itself: state"),
    "without a name": (_without("region.name"), "names no region"),
    "with a name beside": (_set("region.name", "regions/320402/x"), "names no region"),
    "without a gateway": (_without("region.anchor.gatewayUrl"), "lacks anchor.gateway_url"),
    "without an issuer": (_without("region.anchor.issuer"), "lacks anchor.issuer"),
    "without keys": (_set("region.anchor.jwks.keys", []), "lacks anchor.jwks"),
    "without a set of keys": (_without("region.anchor.jwks"), "lacks anchor.jwks"),
    "without a root": (_without("region.anchor.rootCertificate"), "lacks anchor.root_certificate"),
    "with a root that is none": (_set("region.anchor.rootCertificate", "AAAA"), "is no SM2 certificate"),
    "with a key that is none": (
        _set("region.anchor.jwks.keys", [{"kid": "k", "kty": "EC", "crv": "P-256"}]),
        "token key k is no public key",
    ),
    "with a code key that is none": (
        _set("region.anchor.codeKeys", {"keys": [{"kid": "k", "kty": "EC", "crv": "P-256"}]}),
        "token key k is no public key",
    ),
    "steering terminals": (_set("region.displayName", "\x1b[2J"), "holds control characters"),
}


@pytest.mark.parametrize("which", OTHERS)
def test_a_file_that_is_not_one_of_this_release_is_refused(which: str) -> None:
    damage, says = OTHERS[which]
    content = json.loads(FILE.content)
    damage(content)
    with pytest.raises(NotTaken, match=says):
        region_file.read(json.dumps(content).encode())


@pytest.mark.parametrize("content", [b"", b"\n", b"[]", b"{}", b"\xff", b'{"format": "x", "format": "y"}', b"{" * 99])
def test_what_is_no_file_of_a_region_is_refused(content: bytes) -> None:
    with pytest.raises(NotTaken):
        region_file.read(content)
