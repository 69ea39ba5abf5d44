"""Issuing, revoking and reading certificates, and the authority's own."""

from datetime import datetime, timedelta
from typing import cast

from libs.access.actor import Standing
from libs.clock import Clock
from libs.crypto.provider import SmProvider
from libs.crypto.x509 import Profile, Subject
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Row
from libs.db.etag import check_etag
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import invalid_field, reasons, state_conflict
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from libs.workers import Pool
from services.seal.authority import Authority
from services.seal.certificate_request import read_request
from services.seal.convert import certificate_message, certificate_state
from services.seal.keys import SigningKeys
from services.seal.store.certificates import CertificateStore, certificate_values
from services.seal.tables import certificates
from services.seal.usecases.endings import Endings
from services.seal.usecases.revocation import Revocation
from services.seal.workshop import Maker
from tongban.seal.v1 import certificate_service_pb2 as pb
from tongban.seal.v1 import events_pb2 as events
from tongban.seal.v1 import resources_pb2 as resources

_USUAL_DAYS, _MOST_DAYS = 1826, 3653
_ABOVE = ("ROOT", "AUTHORITY")
_MAKER_KEY = "maker"
_MAKER_TURN = 0x6D616B6572


def emit_issued(tx: Transaction, row: Row) -> None:
    """Tells that a certificate was issued."""
    name = f"certificates/{row.id}"
    tx.emit(
        name,
        events.CertificateIssued(
            certificate=name,
            serial_number=row.serial_number,
            issue_time=timestamp(tx.now),
            kind=resources.CertificateKind.Value(f"CERTIFICATE_KIND_{row.kind}"),
        ),
    )


class Certificates:
    """Use cases of CertificateService, and the seal maker's certificate."""

    def __init__(
        self,
        uow: UnitOfWork,
        store: CertificateStore,
        endings: Endings,
        authority: Authority,
        keys: SigningKeys,
        revocation: Revocation,
        provider: SmProvider,
        pool: Pool,
        clock: Clock,
    ) -> None:
        self._uow = uow
        self._store = store
        self._endings = endings
        self._authority = authority
        self._keys = keys
        self._revocation = revocation
        self._provider = provider
        self._pool = pool
        self._clock = clock

    async def issue(self, command: Command, request: pb.IssueCertificateRequest) -> resources.Certificate:
        """Issues a certificate for a key that the caller holds."""
        stored = await self._uow.stored(command)
        if stored is not None:
            return cast("resources.Certificate", stored)
        kind = resources.CertificateKind.Name(request.kind).removeprefix("CERTIFICATE_KIND_")
        caller = current_call().actor
        if caller.standing is Standing.SERVICE and kind != "LOG":
            raise reasons.actor_not_allowed("services get certificates for logs", actor_kind=caller.kind)
        now = self._clock.now()
        validity = self._authority.within(now, self._end(request, now))
        asked = await self._pool.run(read_request, request.request, self._provider)
        certificate = await self._pool.run(
            self._authority.issue, asked.subject, asked.public_key, Profile[kind], validity
        )

        async def work(tx: Transaction) -> resources.Certificate:
            row = await rows.insert(tx.connection, certificates, certificate_values(certificate, kind, tx.now))
            emit_issued(tx, row)
            return certificate_message(row, self._authority, tx.now)

        return await self._uow.run(command, work)

    def _end(self, request: pb.IssueCertificateRequest, now: datetime) -> datetime:
        if not request.HasField("not_after_time"):
            return now + timedelta(days=_USUAL_DAYS)
        end = request.not_after_time.ToDatetime(now.tzinfo)
        if not now < end <= now + timedelta(days=_MOST_DAYS):
            raise invalid_field("not_after_time", "within_ten_years", "must be in the future, ten years away at most")
        return end

    async def revoke(self, command: Command, request: pb.RevokeCertificateRequest) -> resources.Certificate:
        """Revokes a certificate with the seals that hang on it, and publishes a new CRL."""
        identifier = request.name.removeprefix("certificates/")
        reason = resources.RevocationReason.Name(request.reason).removeprefix("REVOCATION_REASON_")

        async def work(tx: Transaction) -> resources.Certificate:
            row, owners = await self._endings.lock_certificate(tx, identifier)
            current_call().actor.require_impartial(*owners)
            check_etag(request.name, row.version, request.etag)
            state = row.kind if row.kind in _ABOVE else certificate_state(row, tx.now)
            if state != "VALID":
                raise state_conflict(request.name, state, "VALID")
            revoked = await self._endings.certificate(tx, identifier, reason, _invalidity(request, tx.now))
            return certificate_message(revoked, self._authority, tx.now)

        answer = await self._uow.run(command, work)
        await self._revocation.publish_soon()
        return answer

    async def get(self, name: str) -> resources.Certificate:
        """Reads a certificate with its chain."""
        row = await self._store.certificate(name.removeprefix("certificates/"))
        return certificate_message(row, self._authority, self._clock.now())

    async def crl(self) -> bytes:
        """Returns the newest revocation list, DER."""
        return (await self._revocation.current()).der

    async def start(self) -> None:
        """Makes what the first start needs: the rows of root and authority, the seal maker, a first CRL."""
        command = _own_command("task:authority")

        async def work(tx: Transaction) -> None:
            for kind, known in (("ROOT", self._authority.root), ("AUTHORITY", self._authority.certificate)):
                await self._store.register(tx.connection, certificate_values(known, kind, tx.now))

        await self._uow.step(command, work)
        await self.maker()
        await self._revocation.current()

    async def maker(self) -> Maker:
        """Returns the seal maker; makes its key and certificate where there is none that holds.

        Raises:
            FailedPrecondition: CERTIFICATE_NOT_VALID, the authority's own certificate does not hold.
            Unavailable: KEY_UNAVAILABLE.
        """
        row = await self._store.newest_of_key("SEAL_MAKER", _MAKER_KEY)
        if row is None or certificate_state(row, self._clock.now()) != "VALID":
            row = await self._uow.step(_own_command("task:seal-maker"), self._make_maker)
        return Maker(row.id, row.der, self._keys.signer(row.key_name, row.key_version))

    async def _make_maker(self, tx: Transaction) -> Row:
        await self._store.turn(tx.connection, _MAKER_TURN)
        row = await self._store.newest_of_key("SEAL_MAKER", _MAKER_KEY, tx.connection)
        if row is not None and certificate_state(row, tx.now) == "VALID":
            return row
        key = self._keys.ensure(_MAKER_KEY) if row is None else self._keys.make(_MAKER_KEY)
        whole = self._authority.certificate
        subject = Subject("电子印章制章者", organization="Tongban", identifier=f"{key.name}-{key.version}")
        public_key = self._keys.signer(key.name, key.version).public_key
        validity = self._authority.within(whole.not_before, whole.not_after)
        certificate = await self._pool.run(self._authority.issue, subject, public_key, Profile.SEAL_MAKER, validity)
        values = certificate_values(certificate, "SEAL_MAKER", tx.now, key.name, key.version)
        made = await rows.insert(tx.connection, certificates, values)
        emit_issued(tx, made)
        tx.record(f"certificates/{made.id}")
        return made


def _invalidity(request: pb.RevokeCertificateRequest, now: datetime) -> datetime | None:
    if not request.HasField("invalidity_time"):
        return None
    since: datetime = request.invalidity_time.ToDatetime(now.tzinfo)
    if since > now:
        raise invalid_field("invalidity_time", "in_the_past", "must not be in the future")
    return since


def _own_command(method: str) -> Command:
    return Command("services/seal", method, "", b"", resources.Certificate, actor="services/seal")
