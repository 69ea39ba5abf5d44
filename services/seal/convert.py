"""Rows and reports to messages."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.crypto.x509 import Certificate
from libs.db.engine import Row
from libs.db.etag import etag_of
from libs.rpc.timestamps import timestamp
from services.seal.authority import Authority
from services.seal.domain.seals import Seal, SealState, SealUser, User, state_at
from services.seal.domain.validation import SubIndication
from services.seal.validation import Report
from tongban.common.v1 import common_pb2
from tongban.seal.v1 import resources_pb2 as pb
from tongban.seal.v1 import validation_service_pb2 as validation


def seal_of(row: Row, identifier: str) -> Seal:
    """Returns what the rules need to know of a seal."""
    users = tuple(SealUser(user["subject"], user["approval_needed"]) for user in row.users)
    return Seal(
        f"seals/{identifier}",
        SealState(row.state),
        row.valid_from_time,
        row.valid_until_time,
        users,
        row.certified_until_time,
        User(row.kept_by, row.kept_human),
    )


def seal_message(row: Row, now: datetime, structure: bytes = b"") -> pb.Seal:
    """Builds a seal's message; its state is as of ``now``."""
    seal = seal_of(row, row.id)
    return pb.Seal(
        name=seal.name,
        seal_id=row.seal_id,
        seal_code=row.seal_code,
        display_name=row.display_name,
        kind=pb.SealKind.Value(f"SEAL_KIND_{row.kind}"),
        rank=pb.SealRank.Value(f"SEAL_RANK_{row.rank}"),
        owner=row.owner,
        owner_uscc=row.owner_uscc,
        arc_text=row.arc_text,
        bottom_text=row.bottom_text,
        diameter_mm=row.diameter_mm,
        state=pb.SealState.Value(f"SEAL_STATE_{state_at(seal, now)}"),
        valid_from_time=timestamp(row.valid_from_time),
        valid_until_time=timestamp(row.valid_until_time),
        users=[pb.SealUser(subject=user.subject, approval_needed=user.approval_needed) for user in seal.users],
        certificate=f"certificates/{row.certificate}",
        maker_certificate=f"certificates/{row.maker_certificate}",
        structure=structure,
        make_time=timestamp(row.make_time),
        revoke_time=timestamp(row.revoke_time),
        revoke_reason=row.revoke_reason or "",
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def digest_text(digest: bytes | None) -> str:
    """Writes an SM3 digest as ``sm3:<hex>``; None is the empty string."""
    return "" if digest is None else f"sm3:{digest.hex()}"


@dataclass(frozen=True, slots=True)
class SealingView:
    """One use of a seal as it is shown; the names are those of the store's columns."""

    id: str
    number: str
    seal: str
    digest: bytes
    data_digest: bytes
    certificate: str
    kind: str
    source_digest: bytes | None
    use_context: bytes
    user_name: str
    approver: str
    create_time: datetime
    state: str
    result_digest: bytes | None
    outcome_time: datetime | None
    void_reason: str


def sealing_message(view: SealingView | Row) -> pb.Sealing:
    """Builds the message of a use of a seal."""
    is_signed = view.state == "SIGNED"
    return pb.Sealing(
        name=f"sealings/{view.id}",
        number=view.number,
        seal=f"seals/{view.seal}",
        certificate=f"certificates/{view.certificate}",
        kind=pb.SealingKind.Value(f"SEALING_KIND_{view.kind}"),
        digest=digest_text(view.digest),
        data_digest=digest_text(view.data_digest),
        source_digest=digest_text(view.source_digest),
        result_digest=digest_text(view.result_digest),
        state=pb.SealingState.Value(f"SEALING_STATE_{view.state}"),
        use=common_pb2.UseContext.FromString(view.use_context),
        user=view.user_name,
        approver=view.approver,
        create_time=timestamp(view.create_time),
        sign_time=timestamp(view.outcome_time if is_signed else None),
        void_time=timestamp(None if is_signed else view.outcome_time),
        void_reason=view.void_reason,
    )


def certificate_state(row: Row, now: datetime) -> str:
    """Returns whether a certificate holds: REVOKED comes before EXPIRED."""
    if row.revoke_time is not None:
        return "REVOKED"
    return "EXPIRED" if now > row.not_after_time else "VALID"


def certificate_message(row: Row, authority: Authority, now: datetime) -> pb.Certificate:
    """Builds a certificate's message with its chain; its state is as of ``now``."""
    known = Certificate.parse(row.der)
    reason = row.revocation_reason or "UNSPECIFIED"
    return pb.Certificate(
        name=f"certificates/{row.id}",
        serial_number=row.serial_number,
        kind=pb.CertificateKind.Value(f"CERTIFICATE_KIND_{row.kind}"),
        subject=known.subject,
        issuer=known.issuer,
        not_before_time=timestamp(row.not_before_time),
        not_after_time=timestamp(row.not_after_time),
        state=pb.CertificateState.Value(f"CERTIFICATE_STATE_{certificate_state(row, now)}"),
        der=row.der,
        chain=authority.chain_of(row.kind),
        create_time=timestamp(row.create_time),
        revoke_time=timestamp(row.revoke_time),
        revocation_reason=pb.RevocationReason.Value(f"REVOCATION_REASON_{reason}"),
        etag=etag_of(row.version),
        invalidity_time=timestamp(row.invalidity_time),
    )


def report_message(report: Report) -> validation.ValidationReport:
    """Builds the message of a validation's report."""
    return validation.ValidationReport(
        **_verdict(report.verdict.conclusion, report.verdict.sub_indication),
        digest=report.digest,
        validate_time=timestamp(report.time),
        steps=[
            validation.ValidationStep(
                name=step.name,
                clause=step.clause,
                signature=step.signature,
                evidence=step.finding.evidence,
                outcome=validation.StepOutcome.Value(f"STEP_OUTCOME_{step.finding.outcome}"),
                sub_indication=_sub_indication(step.finding.sub_indication),
            )
            for step in report.steps
        ],
        seals=[
            validation.SealFinding(
                **_verdict(seal.verdict.conclusion, seal.verdict.sub_indication),
                signature=seal.signature,
                seal_id=seal.seal_id,
                display_name=seal.name,
                signer=seal.signer,
                sign_time=timestamp(seal.time),
            )
            for seal in report.seals
        ],
    )


def _verdict(conclusion: str, sub_indication: SubIndication | None) -> dict[str, Any]:
    return {
        "conclusion": validation.Conclusion.Value(f"CONCLUSION_{conclusion}"),
        "sub_indication": _sub_indication(sub_indication),
    }


def _sub_indication(value: SubIndication | None) -> validation.SubIndication.ValueType:
    return validation.SubIndication.Value(f"SUB_INDICATION_{value or 'UNSPECIFIED'}")
