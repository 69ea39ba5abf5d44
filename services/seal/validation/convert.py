"""Reports of validations as messages."""

from typing import Any

from libs.rpc.messages import Names, timestamp
from services.seal.validation.documents import SealReport, SealSummary
from services.seal.validation.rules import SealVerdict, ValidationStep
from tongban.seal.v1 import validation_service_pb2 as pb

_CONCLUSIONS, _INDICATIONS, _OUTCOMES = Names(pb.Conclusion), Names(pb.SubIndication), Names(pb.StepOutcome)


def report_message(report: SealReport) -> pb.ValidationReport:
    """Builds the message of a validation's report."""
    return pb.ValidationReport(
        **_verdict(report.verdict),
        digest=report.digest,
        validate_time=timestamp(report.time),
        steps=[_step(each) for each in report.steps],
        seals=[_seal(each) for each in report.seals],
    )


def _step(step: ValidationStep) -> pb.ValidationStep:
    return pb.ValidationStep(
        name=step.name,
        clause=step.clause,
        signature=step.signature,
        evidence=step.finding.evidence,
        outcome=_OUTCOMES.number(step.finding.outcome),
        sub_indication=_INDICATIONS.number(step.finding.sub_indication or ""),
    )


def _seal(seal: SealSummary) -> pb.SealFinding:
    return pb.SealFinding(
        **_verdict(seal.verdict),
        signature=seal.signature,
        seal_id=seal.seal_id,
        display_name=seal.name,
        signer=seal.signer,
        sign_time=timestamp(seal.time),
    )


def _verdict(verdict: SealVerdict) -> dict[str, Any]:
    return {
        "conclusion": _CONCLUSIONS.number(verdict.conclusion),
        "sub_indication": _INDICATIONS.number(verdict.sub_indication or ""),
    }
