"""The file by which a region hands itself over to another: who it is, where it is reached, by which keys it is known.

Its fingerprint is the digest of its bytes, as ``openssl dgst -sm3`` and ``sha256sum`` print it: who compares it by another way
than the file's own needs no program of ours.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from libs.crypto.errors import CryptoError
from libs.crypto.sm3 import sm3
from libs.crypto.x509 import Certificate
from libs.outside import UnacceptableText, json_object, line
from tongban.identity.v1 import resources_pb2 as pb

_FORMAT, _VERSION = "tongban-region", 1
_MOST_BYTES, _LONGEST_LINE = 262_144, 300
_NAME = re.compile(r"regions/[a-z0-9][a-z0-9-]{0,30}[a-z0-9]", re.ASCII)
_SAID = {"name", "display_name", "anchor", "codes"}
"""What a region says of itself; all else on a trust list is the word of who keeps the list."""
_ALGORITHM = re.compile(r"^\s*(?:sm3|sha-?256)\s*[:=]?")
_FILLING = re.compile(r"[\s:]")
_HEX = re.compile(r"[0-9a-f]{64}")


class NotTaken(Exception):
    """A file, or what was typed for it, is refused; the message says why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class RegionFile:
    """A region's file: its bytes, and what they say."""

    content: bytes
    region: pb.Region

    @property
    def id(self) -> str:
        """The region's id."""
        return self.region.name.removeprefix("regions/")

    @property
    def root(self) -> Certificate:
        """The region's SM2 root."""
        return Certificate.parse(self.region.anchor.root_certificate)

    @property
    def fingerprints(self) -> dict[str, str]:
        """The digests of the file's bytes by algorithm, in hexadecimal digits."""
        return fingerprints_of(self.content)

    def require(self, typed: str) -> None:
        """Raises NotTaken unless ``typed`` is one of the fingerprints, whole; spaces, colons and case don't count."""
        digits = _FILLING.sub("", _ALGORITHM.sub("", typed.lower()))
        if not _HEX.fullmatch(digits):
            raise NotTaken(f"a fingerprint is 64 hexadecimal digits, all of them; {len(digits)} characters were given")
        if digits not in self.fingerprints.values():
            raise NotTaken(
                f"the fingerprint is not this file's: it was changed on its way, or is not the one that {self.id} has read out"
            )


def fingerprints_of(content: bytes) -> dict[str, str]:
    """Returns the digests of ``content`` by algorithm, in hexadecimal digits."""
    return {"SM3": sm3(content).hex(), "SHA-256": hashlib.sha256(content).hexdigest()}


def thumbprint(key: pb.JsonWebKey) -> str:
    """Returns the SHA-256 thumbprint of a token or code key (RFC 7638); raises NotTaken where it is none."""
    members: dict[str, Any] = {field.name: value for field, value in key.ListFields()}
    try:
        return JWKRegistry.import_key(members).thumbprint()
    except (JoseError, ValueError) as error:
        raise NotTaken(f"token key {key.kid} is no public key") from error


def written(region: pb.Region) -> RegionFile:
    """Writes a region's file."""
    content = {"format": _FORMAT, "version": _VERSION, "region": json_format.MessageToDict(region)}
    return RegionFile((json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode(), region)


def read(content: bytes) -> RegionFile:
    """Reads a region's file; raises NotTaken where it is none, is not whole, or is another release's."""
    try:
        found = json_object(content, _MOST_BYTES)
    except UnacceptableText as error:
        raise NotTaken(f"the file is cut short, or no region's: it {error}") from None
    if found.get("format") != _FORMAT:
        raise NotTaken("the file is no region's: `tongban trust show` makes one")
    if found.get("version") != _VERSION:
        raise NotTaken(
            f"the file was made by another release: its version is {found.get('version')}, this one reads {_VERSION}"
        )
    return RegionFile(content, _checked(_region(found.get("region"))))


def _region(said: Any) -> pb.Region:
    if not isinstance(said, dict):
        raise NotTaken("the file says nothing of a region")
    try:
        region = json_format.ParseDict(said, pb.Region())
    except json_format.ParseError as error:
        # Its further lines list what there is.
        first = str(error).partition("\n")[0]
        raise NotTaken(f"the file was made by another release, or by hand: {first}") from None
    if more := {field.name for field, _ in region.ListFields()} - _SAID:
        raise NotTaken(f"a region does not say of itself: {', '.join(sorted(more))}")
    return region


def _checked(region: pb.Region) -> pb.Region:
    anchor = region.anchor
    if not _NAME.fullmatch(region.name):
        raise NotTaken("the file names no region")
    for name in ("gateway_url", "issuer", "jwks", "root_certificate"):
        if not getattr(anchor, name):
            raise NotTaken(f"the file lacks anchor.{name}")
    if not anchor.jwks.keys:
        raise NotTaken("the file lacks anchor.jwks")
    _check_lines(region)
    for key in (*anchor.jwks.keys, *anchor.code_keys.keys):
        thumbprint(key)
    try:
        Certificate.parse(anchor.root_certificate)
    except CryptoError as error:
        raise NotTaken(f"the root in the file is no SM2 certificate: {error}") from None
    return region


def _check_lines(region: pb.Region) -> None:
    """What is shown on a terminal before anybody has compared the file must not steer it."""
    shown = (region.display_name, region.anchor.gateway_url, region.anchor.issuer)
    codes, anchor = (each.code for each in region.codes), region.anchor
    keys = (each.kid for each in (*anchor.jwks.keys, *anchor.code_keys.keys))
    try:
        for each in (*shown, *codes, *keys):
            line(each, _LONGEST_LINE)
    except UnacceptableText as error:
        raise NotTaken(f"a text in the file {error}") from None
