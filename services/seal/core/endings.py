"""What ends with what: a seal with the certificates that it hangs on, and its signer's certificate with the seal.

All in the transaction of the first: no reader ever sees a seal in force whose certificate is revoked. The rows of what ends
are locked, seals before certificates, by id.
"""

from datetime import datetime

from libs.db.query import Update
from libs.db.uow import Transaction
from libs.rpc.messages import timestamp
from services.seal.core import certificates, seals
from services.seal.core.certificates import REVOCATION_REASONS, CertificateState, IssuedCertificate
from services.seal.core.seal_rules import SealState
from services.seal.core.seals import Seal
from tongban.seal.v1 import events_pb2 as events

_SEAL, _CERTIFICATE = Update(Seal), Update(IssuedCertificate)


async def lock_certificate(tx: Transaction, name: str) -> tuple[IssuedCertificate, frozenset[str]]:
    """Locks a certificate and, before it, the seals that hang on it; returns it, and whose seals these are.

    Raises NotFound.
    """
    hanging = await seals.lock_hanging(tx.connection, name, tx.now)
    return await certificates.lock(tx.connection, name), frozenset(seal.owner for seal in hanging)


async def end_certificate(
    tx: Transaction, name: str, reason: str, invalidity_time: datetime | None = None
) -> IssuedCertificate:
    """Revokes a certificate, and every seal in force that it signs with or that its holder made."""
    revoked = await _revoke(tx, name, reason, invalidity_time)
    # Once more: no seal can be made with it any more, but one may have been since it was locked.
    for seal in await seals.lock_hanging(tx.connection, name, tx.now):
        await end_seal(tx, seal, f"{name}: {reason}")
        tx.record(seal.name, action=f"{tx.command.method}.seal")
    return revoked


async def end_seal(tx: Transaction, seal: Seal, reason: str) -> Seal:
    """Revokes a seal and its signer's certificate: with the seal, what that was made for has ended."""
    ended = {"state": SealState.REVOKED, "revoke_time": tx.now, "revoke_reason": reason, "update_time": tx.now}
    revoked = await _SEAL.one(tx.connection, seal.id, **ended)
    signer = await certificates.lock(tx.connection, f"certificates/{seal.certificate}")
    if signer.state_at(tx.now) is CertificateState.VALID:
        await _revoke(tx, signer.name, "CESSATION_OF_OPERATION")
        tx.record(signer.name, action=f"{tx.command.method}.certificate")
    told = events.SealRevoked(seal=seal.name, owner=seal.owner, revoke_time=timestamp(tx.now))
    tx.emit(seal.name, told)
    return revoked


async def _revoke(
    tx: Transaction, name: str, reason: str, invalidity_time: datetime | None = None
) -> IssuedCertificate:
    revoked = await _CERTIFICATE.one(
        tx.connection,
        name.removeprefix("certificates/"),
        revoke_time=tx.now,
        revocation_reason=reason,
        invalidity_time=invalidity_time,
        update_time=tx.now,
    )
    tx.emit(
        name,
        events.CertificateRevoked(
            certificate=name,
            serial_number=revoked.serial_number,
            revoke_time=timestamp(tx.now),
            reason=REVOCATION_REASONS.number(reason),
        ),
    )
    return revoked
