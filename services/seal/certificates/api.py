"""CertificateService: issuing, revoking and reading certificates of the region's authority for seals."""

from datetime import datetime, timedelta

from google.api import httpbody_pb2

from libs.access.actor import Standing
from libs.crypto.x509 import Certificate, Profile
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import invalid_field, reasons, state_conflict
from libs.rpc.call import Call
from services.seal.certificates.convert import certificate_message
from services.seal.certificates.request import read_request
from services.seal.core import certificates
from services.seal.core.certificates import (
    CERTIFICATE_KINDS,
    REVOCATION_REASONS,
    CertificateState,
    IssuedCertificate,
    new_certificate,
    tell_certified,
)
from services.seal.core.endings import end_certificate, lock_certificate
from services.seal.core.parts import Parts
from tongban.seal.v1 import certificate_service_pb2 as pb
from tongban.seal.v1 import resources_pb2 as resources

_USUAL_DAYS, _MOST_DAYS = 1826, 3653
_ABOVE = ("ROOT", "AUTHORITY")


class CertificateApi:
    """Issues certificates and ends them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def issue_certificate(self, request: pb.IssueCertificateRequest, call: Call) -> resources.Certificate:
        """Issues a certificate for a key that the caller holds."""
        parts, command = self._parts, command_of(request, call=call)
        stored = await parts.uow.stored(command)
        if isinstance(stored, resources.Certificate):
            return stored
        kind = CERTIFICATE_KINDS.name(request.kind)
        if call.actor.standing is Standing.SERVICE and kind != "LOG":
            raise reasons.actor_not_allowed("services get certificates for logs", actor_kind=call.actor.kind)
        certificate = await self._certified(request, kind)

        async def work(tx: Transaction) -> resources.Certificate:
            issued = await certificates.ADD.add(tx.connection, new_certificate(certificate, kind, tx.now))
            tell_certified(tx, issued)
            return certificate_message(issued, parts.authority, tx.now)

        return await parts.uow.run(command, work)

    async def _certified(self, request: pb.IssueCertificateRequest, kind: str) -> Certificate:
        parts, now = self._parts, self._parts.clock.now()
        period = parts.authority.within(now, _end(request, now))
        asked = await parts.signing.run(read_request, request.request, parts.provider)
        return await parts.signing.run(parts.authority.issue, asked.subject, asked.public_key, Profile[kind], period)

    async def revoke_certificate(self, request: pb.RevokeCertificateRequest, call: Call) -> resources.Certificate:
        """Revokes a certificate with the seals that hang on it, and publishes a new CRL."""
        parts, reason = self._parts, REVOCATION_REASONS.name(request.reason)

        async def work(tx: Transaction) -> resources.Certificate:
            known, owners = await lock_certificate(tx, request.name)
            call.actor.require_impartial(*owners)
            check_etag(request.name, known.version, request.etag)
            _check_revocable(known, tx.now)
            revoked = await end_certificate(tx, request.name, reason, _invalidity(request, tx.now))
            return certificate_message(revoked, parts.authority, tx.now)

        answer = await parts.uow.run(command_of(request, call=call), work)
        await parts.revocation.publish_soon()
        return answer

    async def get_certificate(self, request: pb.GetCertificateRequest, call: Call) -> resources.Certificate:
        """Gets a certificate with its chain."""
        async with self._parts.database.read() as connection:
            known = await certificates.read(connection, request.name)
        return certificate_message(known, self._parts.authority, self._parts.clock.now())

    async def get_crl(self, request: pb.GetCrlRequest, call: Call) -> httpbody_pb2.HttpBody:
        """Gets the newest revocation list as a file."""
        newest = await self._parts.revocation.current()
        return httpbody_pb2.HttpBody(content_type="application/pkix-crl", data=newest.der)


def _end(request: pb.IssueCertificateRequest, now: datetime) -> datetime:
    if not request.HasField("not_after_time"):
        return now + timedelta(days=_USUAL_DAYS)
    end: datetime = request.not_after_time.ToDatetime(now.tzinfo)
    if not now < end <= now + timedelta(days=_MOST_DAYS):
        raise invalid_field("not_after_time", "within_ten_years", "must be in the future, ten years away at most")
    return end


def _check_revocable(known: IssuedCertificate, now: datetime) -> None:
    # What stands above is ended by who is above it.
    state = known.kind if known.kind in _ABOVE else known.state_at(now).value
    if state != CertificateState.VALID:
        raise state_conflict(known.name, state, CertificateState.VALID)


def _invalidity(request: pb.RevokeCertificateRequest, now: datetime) -> datetime | None:
    if not request.HasField("invalidity_time"):
        return None
    since: datetime = request.invalidity_time.ToDatetime(now.tzinfo)
    if since > now:
        raise invalid_field("invalidity_time", "in_the_past", "must not be in the future")
    return since
