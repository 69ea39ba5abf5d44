"""Passkeys (WebAuthn Level 3), judged by py_webauthn: what a browser is asked to make and to show, and what it answered."""

import ipaddress
import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn
from urllib.parse import urlsplit
from uuid import UUID

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    parse_attestation_object,
    parse_authentication_credential_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

_ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_WAIT_MS = 300_000
"""So long a browser lets its user choose and show a passkey (WebAuthn, 15.1: five minutes where the user is verified)."""
_FORMATS = frozenset({AttestationFormat.NONE, AttestationFormat.PACKED})
_PORTS = MappingProxyType({"https": 443, "http": 80})
_LONGEST_ID = 1023
"""Bytes of a credential id (WebAuthn, 7.1, step 25)."""


class PasskeyRefused(Exception):
    """What the browser answered can't be read, is not what was asked for, or is not signed by the passkey's key."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who passkeys are for: the region's name in the network, and the only origin whose pages may ask for them."""

    id: str
    origin: str


@dataclass(frozen=True, slots=True)
class PasskeyKey:
    """What is kept of a passkey: its credential id, and its public key (COSE)."""

    credential_id: bytes
    public_key: bytes

    def text(self) -> str:
        """Returns it as text, to be encrypted."""
        return json.dumps([bytes_to_base64url(self.credential_id), bytes_to_base64url(self.public_key)])

    @classmethod
    def of_text(cls, text: str) -> "PasskeyKey":
        """Reads what :meth:`text` wrote."""
        return cls(*map(base64url_to_bytes, json.loads(text)))


@dataclass(frozen=True, slots=True)
class MadePasskey:
    """A passkey that a browser has made; ``sign_count`` is how often it says that it was used."""

    key: PasskeyKey
    sign_count: int


@dataclass(frozen=True, slots=True)
class NamedPasskey:
    """Which passkey a browser shows, and whose it says it is: unproven until :func:`shown`."""

    credential_id: bytes
    user: bytes


@dataclass(frozen=True, slots=True)
class ShownPasskey:
    """What a passkey says, signed: how often it was used, and whether it may be kept in several places."""

    sign_count: int
    kept: bool


def relying_party(base_url: str) -> RelyingParty | None:
    """Returns who passkeys are for at a region's public address; None where that is no name, for which no browser makes any."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # As browsers write an origin: without the port that its scheme implies (RFC 6454, 6.1).
        port = f":{parts.port}" if parts.port and parts.port != _PORTS.get(parts.scheme) else ""
        return RelyingParty(host, f"{parts.scheme}://{host}{port}") if host else None
    return None


def user_handle(person: str) -> bytes:
    """Returns what passkeys call their owner: the bytes of the account's id, which say nothing about the person (WebAuthn, 14.6.1)."""
    return UUID(person.partition("/")[2]).bytes


def options_to_make(
    party: RelyingParty, region: str, person: str, label: str, challenge: str, held: list[PasskeyKey]
) -> str:
    """Returns as JSON what a browser is to make: a passkey of a device that sees who its user is, and none that is ``held`` already."""
    return options_to_json(
        generate_registration_options(
            rp_id=party.id,
            rp_name=region,
            user_id=user_handle(person),
            user_name=label,
            challenge=base64url_to_bytes(challenge),
            timeout=_WAIT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=each.credential_id) for each in held],
            supported_pub_key_algs=_ALGORITHMS,
        )
    )


def options_to_show(party: RelyingParty, challenge: bytes) -> str:
    """Returns as JSON what a browser is to show: any passkey of this region that its user has, and chooses."""
    return options_to_json(
        generate_authentication_options(
            rp_id=party.id,
            challenge=challenge,
            timeout=_WAIT_MS,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def made(answer: str, challenge: str, party: RelyingParty) -> MadePasskey:
    """Judges a new passkey; raises PasskeyRefused.

    No maker is asked for (attestation): what a browser tells of one unasked is not looked at.
    """
    try:
        parsed = parse_registration_credential_json(answer)
        told = parse_attestation_object(parsed.response.attestation_object)
        if told.fmt not in _FORMATS or told.att_stmt.x5c:
            _refuse()
        found = verify_registration_response(
            credential=parsed,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except Exception as error:
        raise PasskeyRefused from error
    if len(found.credential_id) > _LONGEST_ID or found.credential_id != parsed.raw_id:
        raise PasskeyRefused
    return MadePasskey(PasskeyKey(found.credential_id, found.credential_public_key), found.sign_count)


def named(answer: str) -> NamedPasskey:
    """Reads which passkey a browser shows; raises PasskeyRefused where it can't be read, or says not whose it is."""
    try:
        parsed = parse_authentication_credential_json(answer)
        return NamedPasskey(parsed.raw_id, bytes(parsed.response.user_handle or _refuse()))
    except Exception as error:
        raise PasskeyRefused from error


def shown(answer: str, challenge: bytes, party: RelyingParty, key: PasskeyKey) -> ShownPasskey:
    """Judges what a passkey has signed; raises PasskeyRefused.

    The counter is left to the caller: it is believed only once the signature is.
    """
    try:
        found = verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=key.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:
        raise PasskeyRefused from error
    return ShownPasskey(found.new_sign_count, found.credential_device_type is CredentialDeviceType.MULTI_DEVICE)


def _refuse() -> NoReturn:
    raise PasskeyRefused
