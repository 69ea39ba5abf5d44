"""From the outcomes of steps to a conclusion (ETSI EN 319 102-1, 5.1.3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from libs.sub_indications import SubIndication


class Conclusion(StrEnum):
    """What a validation comes to, in the words of ETSI EN 319 102-1.

    NO_SIGNATURE is none of these: there was nothing to validate.
    """

    TOTAL_PASSED = "TOTAL_PASSED"
    TOTAL_FAILED = "TOTAL_FAILED"
    INDETERMINATE = "INDETERMINATE"
    NO_SIGNATURE = "NO_SIGNATURE"


class StepOutcome(StrEnum):
    """What one step comes to."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"
    NOT_APPLICABLE = "NOT_APPLICABLE"


@dataclass(frozen=True, slots=True)
class StepFinding:
    """The result of one check.

    Attributes:
        outcome: what it comes to.
        evidence: what was seen; no personal data.
        sub_indication: why it is not PASSED.
    """

    outcome: StepOutcome
    evidence: str = ""
    sub_indication: SubIndication | None = None


@dataclass(frozen=True, slots=True)
class ValidationStep:
    """One check, named, with the clause that asks for it.

    Attributes:
        name: such as ``seal.maker_signature``.
        clause: the standard and clause.
        finding: its result.
        signature: the path of the Signature.xml it belongs to; empty for the document or a lone seal.
    """

    name: str
    clause: str
    finding: StepFinding
    signature: str = ""


@dataclass(frozen=True, slots=True)
class SealVerdict:
    """A conclusion, with the sub-indication of the first step that made it so."""

    conclusion: Conclusion
    sub_indication: SubIndication | None = None


def passed(evidence: str = "") -> StepFinding:
    """Builds the finding of a check that holds."""
    return StepFinding(StepOutcome.PASSED, evidence)


def failed(sub_indication: SubIndication, evidence: str) -> StepFinding:
    """Builds the finding of a check that does not hold."""
    return StepFinding(StepOutcome.FAILED, evidence, sub_indication)


def indeterminate(sub_indication: SubIndication, evidence: str) -> StepFinding:
    """Builds the finding of a check that can't be told."""
    return StepFinding(StepOutcome.INDETERMINATE, evidence, sub_indication)


def not_applicable(evidence: str) -> StepFinding:
    """Builds the finding of a check for which there is nothing to check."""
    return StepFinding(StepOutcome.NOT_APPLICABLE, evidence)


def conclude(steps: Iterable[ValidationStep]) -> SealVerdict:
    """Returns the worst of ``steps``: one FAILED makes it TOTAL_FAILED, else one INDETERMINATE makes it INDETERMINATE.

    Without a single step that passed nothing is TOTAL_PASSED.
    """
    findings = [step.finding for step in steps]
    for outcome, conclusion in (
        (StepOutcome.FAILED, Conclusion.TOTAL_FAILED),
        (StepOutcome.INDETERMINATE, Conclusion.INDETERMINATE),
    ):
        for finding in findings:
            if finding.outcome is outcome:
                return SealVerdict(conclusion, finding.sub_indication)
    if any(finding.outcome is StepOutcome.PASSED for finding in findings):
        return SealVerdict(Conclusion.TOTAL_PASSED)
    return SealVerdict(Conclusion.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Times:
    """When something was used.

    Attributes:
        stated: as its signer says, who may say what they like.
        proven: before which it is known to have existed: from a record, from a time stamp, else since this validation.
    """

    stated: datetime
    proven: datetime

    @property
    def latest(self) -> datetime:
        """The latest moment at which it may have been made."""
        return max(self.stated, self.proven)


def within(start: datetime, end: datetime, times: Times) -> StepFinding:
    """Checks that a use lies in a period, both ends included: as stated, and as far as it is proven."""
    evidence = f"{start.isoformat()} to {end.isoformat()}, used {times.stated.isoformat()}"
    if times.stated < start:
        return failed(SubIndication.NOT_YET_VALID, evidence)
    if times.stated > end:
        return failed(SubIndication.EXPIRED, evidence)
    if times.latest > end:
        return indeterminate(SubIndication.OUT_OF_BOUNDS_NO_POE, f"{evidence} without a proof of that time")
    return passed(evidence)
