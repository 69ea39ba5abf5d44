"""The checks of a seal and of a seal signature, one by one (GB/T 38540-2020, 6.3 and 7.3).

Which of them fail and which leave it open is told in docs/validation.md, row by row.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from libs.crypto.errors import CryptoError, MalformedCertificate, UnsupportedCertificate
from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.roles import Role
from libs.sub_indications import SubIndication
from libs.workers import StopSignal
from services.seal.core.ses import OLDER_VERSIONS, SM2_WITH_SM3, SM3, ParsedSeal, ParsedSignature
from services.seal.validation.registered import RegisteredSeal, existence_finding, status_finding, structure_finding
from services.seal.validation.rules import StepFinding, Times, failed, indeterminate, not_applicable, passed, within

NamedFinding = tuple[str, StepFinding]
"""The name of a step, and what it came to."""

_SM2_BY_OTHER_NAMES = frozenset(("1.2.156.10197.1.301", "1.2.156.10197.1.301.1"))
"""SM2 itself and SM2 signatures (GM/T 0006-2012): some makers name these where SM2 with SM3 is meant."""
_SM2_WITH_OTHERS = frozenset(("1.2.156.10197.1.502", "1.2.156.10197.1.503"))
"""SM2 with SHA-1 and with SHA-256."""


class RecordsUnreachable(Exception):
    """This region's records can't be read now."""


class Records(Protocol):
    """What this region has on record of its own seals."""

    def find(self, seal: ParsedSeal, signature: ParsedSignature | None) -> tuple[RegisteredSeal, bool] | None:
        """Returns the seal that this region registered under the same esID; None where there is none.

        Beside it, whether a use of it with the very bytes of ``signature`` and its value is on record.

        Raises:
            RecordsUnreachable: nobody can tell now.
        """


@dataclass(frozen=True, slots=True)
class Checks:
    """What a validation can't know by itself.

    Attributes:
        verify: takes a DER certificate, the message, a DER signature; raises CryptoError where it does not hold.
        chain: takes a DER certificate, the role its key was used in, and when; tells whether it was entitled to it.
        records: this region's records.
        now: the time of the validation.
        time_stamp: takes a time stamp, the signature value it covers, and the time of the validation; returns the stamp's
            time, or None where it does not hold. None where no authority is trusted.
        skew: how far ahead of ours a signer's clock may be.
        stop: tells whether the validation is still wanted.
    """

    verify: Callable[[bytes, bytes, bytes], None]
    chain: Callable[[bytes, Role, Times], StepFinding]
    records: Records
    now: datetime
    time_stamp: Callable[[bytes, bytes, datetime], datetime | None] | None = None
    skew: timedelta = timedelta(minutes=5)
    stop: StopSignal = field(default_factory=StopSignal)


@dataclass(frozen=True, slots=True)
class KnownSealFacts:
    """What is known of one seal and one use of it before the steps are taken.

    Attributes:
        registered: the seal as this region registered it, or None.
        recorded: whether this use is on record.
        stamped: the time of a time stamp that holds, or None.
        reached: False where the records could not be read.
        times: when the seal is used.
    """

    registered: RegisteredSeal | None
    recorded: bool
    stamped: datetime | None
    reached: bool
    times: Times


def known_of_seal(seal: ParsedSeal, checks: Checks) -> KnownSealFacts:
    """Looks up a lone seal, which is asked for as of now."""
    return _known(seal, None, None, checks)


def known_of_signature(signature: ParsedSignature, checks: Checks) -> KnownSealFacts:
    """Looks up a use of a seal and what proves its time: our record, a time stamp, else that it exists now."""
    stamped = _stamp_time(checks, signature.time_stamp, signature.signature)
    return _known(signature.seal, signature, stamped, checks)


def _known(
    seal: ParsedSeal, signature: ParsedSignature | None, stamped: datetime | None, checks: Checks
) -> KnownSealFacts:
    stated = checks.now if signature is None else signature.time
    try:
        found = checks.records.find(seal, signature)
    except RecordsUnreachable:
        return KnownSealFacts(None, False, stamped, False, Times(stated, stamped or checks.now))
    registered, recorded = found or (None, False)
    # The record proves the very time that the signature states: it is our clock's.
    return KnownSealFacts(
        registered, recorded, stamped, True, Times(stated, stated if recorded else stamped or checks.now)
    )


def seal_steps(seal: ParsedSeal, known: KnownSealFacts, checks: Checks) -> Iterator[NamedFinding]:
    """Checks a parsed seal as of the time of its use."""
    made, tolerated = _made(seal, known)
    yield "seal.algorithm", _algorithm(seal.algorithm, seal.maker_certificate)
    yield (
        "seal.maker_signature",
        _signature(checks, seal.algorithm, seal.maker_certificate, seal.signed_raws, seal.signature),
    )
    yield "seal.maker_certificate_period", _certificate_period(seal.maker_certificate, made, tolerated)
    yield "seal.maker_certificate_chain", checks.chain(seal.maker_certificate, Role.SEAL_MAKER, made)
    yield "seal.period", within(seal.valid_from, seal.valid_until, known.times)
    yield "seal.registered", _reached(known) or structure_finding(known.registered, seal.raw)
    yield "seal.status", _reached(known) or status_finding(known.registered, known.times, recorded=known.recorded)
    yield "seal.time_stamp", _time_stamp(checks, seal.time_stamp, seal.signature)


def signature_steps(
    signature: ParsedSignature, known: KnownSealFacts, protected: bytes, is_own_path: bool, checks: Checks
) -> Iterator[NamedFinding]:
    """Checks a parsed signature but not the seal in it.

    Args:
        signature: the signature.
        known: what is known of its use.
        protected: the bytes that dataHash protects: for OFD Signature.xml.
        is_own_path: whether propertyInfo leads to them.
        checks: what is known from outside.
    """
    yield "signature.version", _version(signature)
    yield "signature.algorithm", _algorithm(signature.algorithm, signature.certificate)
    yield "signature.data_hash", _data_hash(signature, protected)
    yield "signature.property_info", _property_info(signature, is_own_path)
    yield (
        "signature.value",
        _signature(checks, signature.algorithm, signature.certificate, (signature.tbs_raw,), signature.signature),
    )
    yield "signature.certificate_listed", _listed(signature.seal, signature.certificate)
    yield "signature.certificate_period", _certificate_period(signature.certificate, known.times)
    yield "signature.certificate_chain", checks.chain(signature.certificate, Role.SEAL_SIGNER, known.times)
    yield "signature.time", _not_in_future(signature.time, checks)
    yield "signature.time_stamp", _time_stamp(checks, signature.time_stamp, signature.signature)
    yield (
        "signature.existence",
        _reached(known) or existence_finding(known.registered, known.stamped, known.times, recorded=known.recorded),
    )


def digest_finding(stated: bytes, actual: bytes) -> StepFinding:
    """Compares two digests."""
    if hmac.compare_digest(stated, actual):
        return passed(f"sm3:{actual.hex()}")
    return failed(SubIndication.HASH_FAILURE, f"states sm3:{stated[:32].hex()}, is sm3:{actual.hex()}")


def _made(seal: ParsedSeal, known: KnownSealFacts) -> tuple[Times, str]:
    """Returns when the seal was made, and what was tolerated about that.

    Seals in the field state a createDate some days before their maker's certificate begins: what counts is that the
    maker was certified when the seal was used. A registered structure is known to exist since it was made.
    """
    proven, stated, tolerated = known.times.proven, seal.create_time, ""
    if known.registered is not None and known.registered.structure == seal.raw:
        proven = min(proven, known.registered.make_time)
    try:
        begins = Certificate.parse(seal.maker_certificate).not_before
    except CryptoError:
        begins = stated
    if stated < begins <= known.times.stated:
        tolerated = f"; tolerated: made {stated.isoformat()}, before the maker's certificate began"
        stated = begins
    return Times(stated, proven), tolerated


def _reached(known: KnownSealFacts) -> StepFinding | None:
    return None if known.reached else indeterminate(SubIndication.TRY_LATER, "the list of seals can't be read now")


def _is_unsupported(oid: str, certificate: bytes) -> bool:
    """Tells whether a signature is of an algorithm that is sound, but not computed here."""
    try:
        Certificate.parse(certificate)
    except UnsupportedCertificate:
        return True
    except MalformedCertificate:
        return False
    return oid in _SM2_WITH_OTHERS


def _algorithm(oid: str, certificate: bytes) -> StepFinding:
    if oid == SM2_WITH_SM3:
        return passed(oid)
    if oid in _SM2_BY_OTHER_NAMES:
        return passed(f"{oid}; tolerated: stands for SM2 with SM3")
    if _is_unsupported(oid, certificate):
        return indeterminate(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, f"{oid[:80]} is not SM2 with SM3")
    return failed(SubIndication.FORMAT_FAILURE, f"{oid[:80]} is no algorithm of the certificate's key")


def unreadable(error: MalformedCertificate) -> StepFinding:
    """Returns the finding for a certificate that is not read: of another algorithm, or broken."""
    if isinstance(error, UnsupportedCertificate):
        return indeterminate(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, str(error))
    return failed(SubIndication.FORMAT_FAILURE, str(error))


def _signature(
    checks: Checks, algorithm: str, certificate: bytes, messages: tuple[bytes, ...], value: bytes
) -> StepFinding:
    """Verifies ``value`` over the first message that it holds for; there are several where makers differ in that."""
    if _is_unsupported(algorithm, certificate):
        return indeterminate(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, "the algorithm is not computed here")
    refusal = ""
    for message in messages:
        try:
            checks.verify(certificate, message, value)
        except MalformedCertificate as error:
            return unreadable(error)
        except CryptoError as error:
            refusal = type(error).__name__
        else:
            return passed(f"over {len(message)} bytes, sm3:{hashlib.new('sm3', message).hexdigest()}")
    return failed(SubIndication.SIG_CRYPTO_FAILURE, refusal)


def _data_hash(signature: ParsedSignature, protected: bytes) -> StepFinding:
    if _is_unsupported(signature.algorithm, signature.certificate):
        return indeterminate(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, "the digest's algorithm is not computed here")
    return digest_finding(signature.data_hash, hashlib.new("sm3", protected).digest())


def _certificate_period(der: bytes, times: Times, tolerated: str = "") -> StepFinding:
    try:
        certificate = Certificate.parse(der)
    except MalformedCertificate as error:
        return unreadable(error)
    found = within(certificate.not_before, certificate.not_after, times)
    tolerated += "".join(f"; tolerated: the certificate has {each}" for each in certificate.tolerated)
    return StepFinding(found.outcome, found.evidence + tolerated, found.sub_indication)


def _version(signature: ParsedSignature) -> StepFinding:
    evidence = f"signature {signature.version}, seal {signature.seal.version}"
    if signature.version == signature.seal.version:
        return passed(evidence)
    if {signature.version, signature.seal.version} <= set(OLDER_VERSIONS):
        return passed(f"{evidence}; tolerated: the older structure is told by its shape")
    return failed(SubIndication.FORMAT_FAILURE, evidence)


def _property_info(signature: ParsedSignature, is_own_path: bool) -> StepFinding:
    stated = signature.property_info
    if is_own_path:
        return passed(stated)
    if signature.version in OLDER_VERSIONS:
        return passed(f"{stated!r}; tolerated: GM/T 0031-2014 leaves to the maker what stands here")
    return failed(SubIndication.SIG_CONSTRAINTS_FAILURE, f"{stated!r} is not the path of this Signature.xml")


def _listed(seal: ParsedSeal, certificate: bytes) -> StepFinding:
    """A signer who is not on the seal's list had no right to it: more than ETSI's INDETERMINATE, it is a failure."""
    for place, listed in enumerate(seal.certificates, 1):
        if listed == certificate:
            return passed(f"certificate {place} of {len(seal.certificates)}")
    digest = hashlib.new("sm3", certificate).digest()
    for place, (_, value) in enumerate(seal.certificate_digests, 1):
        if value == digest:
            return passed(f"digest {place} of {len(seal.certificate_digests)}")
    others = [kind for kind, _ in seal.certificate_digests if kind.upper() not in ("SM3", SM3)]
    if others:
        return indeterminate(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, f"the list is of {others[0][:40]!r} digests")
    return failed(SubIndication.SIG_CONSTRAINTS_FAILURE, "the signer's certificate is not on the seal's list")


def _not_in_future(at: datetime, checks: Checks) -> StepFinding:
    evidence = f"{at.isoformat()}, validated {checks.now.isoformat()}"
    if at > checks.now + checks.skew:
        return failed(SubIndication.TIMESTAMP_ORDER_FAILURE, evidence)
    return passed(evidence)


def _stamp_time(checks: Checks, stamp: bytes | None, value: bytes) -> datetime | None:
    return None if stamp is None or checks.time_stamp is None else checks.time_stamp(stamp, value, checks.now)


def _time_stamp(checks: Checks, stamp: bytes | None, value: bytes) -> StepFinding:
    if stamp is None:
        return not_applicable("there is none")
    if (at := _stamp_time(checks, stamp, value)) is not None:
        return passed(at.isoformat())
    return indeterminate(SubIndication.NO_POE, "there is one, but none that can be trusted here")
