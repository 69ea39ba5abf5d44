"""Certificates as messages."""

from datetime import datetime

from libs.crypto.x509 import Certificate
from libs.db.etag import etag_of
from libs.rpc.messages import Names, timestamp
from services.seal.core.authority import SealAuthority
from services.seal.core.certificates import CERTIFICATE_KINDS, REVOCATION_REASONS, IssuedCertificate
from tongban.seal.v1 import resources_pb2 as pb

_STATES = Names(pb.CertificateState)


def certificate_message(issued: IssuedCertificate, authority: SealAuthority, now: datetime) -> pb.Certificate:
    """Builds a certificate's message with its chain; its state is as of ``now``."""
    known = Certificate.parse(issued.der)
    return pb.Certificate(
        name=issued.name,
        serial_number=issued.serial_number,
        kind=CERTIFICATE_KINDS.number(issued.kind),
        subject=known.subject,
        issuer=known.issuer,
        not_before_time=timestamp(issued.not_before_time),
        not_after_time=timestamp(issued.not_after_time),
        state=_STATES.number(issued.state_at(now)),
        der=issued.der,
        chain=authority.chain_of(issued.kind),
        create_time=timestamp(issued.create_time),
        revoke_time=timestamp(issued.revoke_time),
        revocation_reason=REVOCATION_REASONS.number(issued.revocation_reason or ""),
        etag=etag_of(issued.version),
        invalidity_time=timestamp(issued.invalidity_time),
    )
