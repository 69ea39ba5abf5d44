"""The checks of a seal and of a seal signature, one by one (GB/T 38540-2020, 6.3 and 7.3)."""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from libs.crypto.errors import CryptoError
from libs.crypto.x509.certificate import Certificate
from libs.workers import Stop
from services.seal.domain.validation import (
    Finding,
    SubIndication,
    failed,
    indeterminate,
    not_applicable,
    passed,
    within,
)
from services.seal.ses import SM2_WITH_SM3, ParsedSeal, ParsedSignature

NamedFinding = tuple[str, Finding]
"""The name of a step, and what it came to."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What a validation can't know by itself.

    Attributes:
        verify: takes a DER certificate, the message, a DER signature; raises CryptoError where it does not hold.
        chain: takes a DER certificate and a time; tells whether it was trustworthy then.
        seal_status: takes an esID and a time; tells whether the seal was neither revoked nor frozen then.
        now: the time of the validation.
        time_stamp: takes a time stamp and the signature value it covers; None where no authority is trusted.
        skew: how far ahead of ours a signer's clock may be.
        stop: tells whether the validation is still wanted.
    """

    verify: Callable[[bytes, bytes, bytes], None]
    chain: Callable[[bytes, datetime], Finding]
    seal_status: Callable[[str, datetime], Finding]
    now: datetime
    time_stamp: Callable[[bytes, bytes], Finding] | None = None
    skew: timedelta = timedelta(minutes=5)
    stop: Stop = field(default_factory=Stop)


def seal_steps(seal: ParsedSeal, at: datetime, checks: Checks) -> Iterator[NamedFinding]:
    """Checks a parsed seal as of ``at``, the time of its use."""
    yield "seal.algorithm", _algorithm(seal.algorithm)
    yield "seal.maker_signature", _signature(checks, seal.maker_certificate, seal.info_raw, seal.signature)
    yield "seal.maker_certificate_period", _certificate_period(seal.maker_certificate, seal.create_time)
    yield "seal.maker_certificate_chain", checks.chain(seal.maker_certificate, seal.create_time)
    yield "seal.period", within(seal.valid_from, seal.valid_until, at)
    yield "seal.status", checks.seal_status(seal.seal_id, at)
    yield "seal.time_stamp", _time_stamp(checks, seal.time_stamp, seal.signature)


def signature_steps(
    signature: ParsedSignature, protected: bytes, is_own_path: bool, checks: Checks
) -> Iterator[NamedFinding]:
    """Checks a parsed signature but not the seal in it.

    Args:
        signature: the signature.
        protected: the bytes that dataHash protects: for OFD Signature.xml.
        is_own_path: whether propertyInfo leads to them.
        checks: what is known from outside.
    """
    yield "signature.version", _version(signature)
    yield "signature.algorithm", _algorithm(signature.algorithm)
    yield "signature.data_hash", digest_finding(signature.data_hash, hashlib.new("sm3", protected).digest())
    yield "signature.property_info", _property_info(signature.property_info, is_own_path)
    yield "signature.value", _signature(checks, signature.certificate, signature.tbs_raw, signature.signature)
    yield "signature.certificate_listed", _listed(signature.seal, signature.certificate)
    yield "signature.certificate_period", _certificate_period(signature.certificate, signature.time)
    yield "signature.certificate_chain", checks.chain(signature.certificate, signature.time)
    yield "signature.time", _not_in_future(signature.time, checks)
    yield "signature.time_stamp", _time_stamp(checks, signature.time_stamp, signature.signature)


def digest_finding(stated: bytes, actual: bytes) -> Finding:
    """Compares two digests."""
    if hmac.compare_digest(stated, actual):
        return passed(f"sm3:{actual.hex()}")
    return failed(SubIndication.HASH_FAILURE, f"states sm3:{stated[:32].hex()}, is sm3:{actual.hex()}")


def _algorithm(oid: str) -> Finding:
    if oid == SM2_WITH_SM3:
        return passed(oid)
    return failed(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, f"{oid} is not SM2 with SM3")


def _signature(checks: Checks, certificate: bytes, message: bytes, value: bytes) -> Finding:
    try:
        checks.verify(certificate, message, value)
    except CryptoError as error:
        return failed(SubIndication.SIG_CRYPTO_FAILURE, f"{type(error).__name__}")
    return passed(f"over {len(message)} bytes, sm3:{hashlib.new('sm3', message).hexdigest()}")


def _certificate_period(der: bytes, at: datetime) -> Finding:
    try:
        certificate = Certificate.parse(der)
    except CryptoError as error:
        return failed(SubIndication.FORMAT_FAILURE, str(error))
    return within(certificate.not_before, certificate.not_after, at)


def _version(signature: ParsedSignature) -> Finding:
    evidence = f"signature {signature.version}, seal {signature.seal.version}"
    if signature.version == signature.seal.version:
        return passed(evidence)
    return failed(SubIndication.FORMAT_FAILURE, evidence)


def _property_info(stated: str, is_own_path: bool) -> Finding:
    if is_own_path:
        return passed(stated)
    return failed(SubIndication.SIG_CONSTRAINTS_FAILURE, f"{stated!r} is not the path of this Signature.xml")


def _listed(seal: ParsedSeal, certificate: bytes) -> Finding:
    """A signer who is not on the seal's list had no right to it: more than ETSI's INDETERMINATE, it is a failure."""
    for place, listed in enumerate(seal.certificates, 1):
        if listed == certificate:
            return passed(f"certificate {place} of {len(seal.certificates)}")
    digest = hashlib.new("sm3", certificate).digest()
    for place, (_, value) in enumerate(seal.certificate_digests, 1):
        if value == digest:
            return passed(f"digest {place} of {len(seal.certificate_digests)}")
    return failed(SubIndication.SIG_CONSTRAINTS_FAILURE, "the signer's certificate is not on the seal's list")


def _not_in_future(at: datetime, checks: Checks) -> Finding:
    evidence = f"{at.isoformat()}, validated {checks.now.isoformat()}"
    if at > checks.now + checks.skew:
        return failed(SubIndication.TIMESTAMP_ORDER_FAILURE, evidence)
    return passed(evidence)


def _time_stamp(checks: Checks, stamp: bytes | None, value: bytes) -> Finding:
    if stamp is None:
        return not_applicable("there is none")
    if checks.time_stamp is None:
        return indeterminate(SubIndication.NO_POE, "no time-stamp authority is trusted here")
    return checks.time_stamp(stamp, value)
