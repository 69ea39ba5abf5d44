"""What ends with what: a seal with the certificates that it hangs on, and its signer's certificate with the seal.

All in the transaction of the first: no reader ever sees a seal in force whose certificate is revoked.
"""

from datetime import datetime

from libs.db import rows
from libs.db.engine import Row
from libs.db.uow import Transaction
from libs.rpc.timestamps import timestamp
from services.seal.convert import certificate_state
from services.seal.domain.seals import SealState
from services.seal.store.certificates import CertificateStore
from services.seal.store.seals import SealStore
from services.seal.tables import certificates, seals
from tongban.seal.v1 import events_pb2 as events
from tongban.seal.v1 import resources_pb2 as resources


class Endings:
    """Ends seals and certificates whose rows are locked. Seals are locked before certificates, by id."""

    def __init__(self, seal_store: SealStore, certificate_store: CertificateStore) -> None:
        self._seals = seal_store
        self._certificates = certificate_store

    async def lock_certificate(self, tx: Transaction, identifier: str) -> tuple[Row, frozenset[str]]:
        """Locks a certificate and, before it, the seals that hang on it; returns it, and whose seals these are.

        Raises NotFound.
        """
        hanging = await self._seals.hanging(tx.connection, identifier, tx.now)
        return await self._certificates.lock(tx.connection, identifier), frozenset(seal.owner for seal in hanging)

    async def certificate(
        self, tx: Transaction, identifier: str, reason: str, invalidity_time: datetime | None = None
    ) -> Row:
        """Revokes a certificate, and every seal in force that it signs with or that its holder made."""
        row = await _revoke(tx, identifier, reason, invalidity_time)
        # Once more: no seal can be made with it any more, but one may have been since it was locked.
        for seal in await self._seals.hanging(tx.connection, identifier, tx.now):
            await self.seal(tx, seal, f"certificates/{identifier}: {reason}")
            tx.record(f"seals/{seal.id}", action=f"{tx.command.method}.seal")
        return row

    async def seal(self, tx: Transaction, seal: Row, reason: str) -> Row:
        """Revokes a seal and its signer's certificate: with the seal, what that was made for has ended."""
        name = f"seals/{seal.id}"
        row = await rows.update(
            tx.connection,
            seals,
            seal.id,
            {
                "state": SealState.REVOKED.value,
                "revoke_time": tx.now,
                "revoke_reason": reason,
                "update_time": tx.now,
            },
        )
        certificate = await self._certificates.lock(tx.connection, seal.certificate)
        if certificate_state(certificate, tx.now) == "VALID":
            await _revoke(tx, seal.certificate, "CESSATION_OF_OPERATION")
            about = f"certificates/{seal.certificate}"
            tx.record(about, action=f"{tx.command.method}.certificate")
        tx.emit(
            name,
            events.SealRevoked(seal=name, owner=row.owner, reason=reason, revoke_time=timestamp(tx.now)),
        )
        return row


async def _revoke(tx: Transaction, identifier: str, reason: str, invalidity_time: datetime | None = None) -> Row:
    row = await rows.update(
        tx.connection,
        certificates,
        identifier,
        {
            "revoke_time": tx.now,
            "revocation_reason": reason,
            "invalidity_time": invalidity_time,
            "update_time": tx.now,
        },
    )
    name = f"certificates/{identifier}"
    tx.emit(
        name,
        events.CertificateRevoked(
            certificate=name,
            serial_number=row.serial_number,
            revoke_time=timestamp(tx.now),
            reason=resources.RevocationReason.Value(f"REVOCATION_REASON_{reason}"),
        ),
    )
    return row
