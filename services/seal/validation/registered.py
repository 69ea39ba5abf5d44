"""What this region's own records say of a seal and of its use: the structure, the state, the sealing."""

from dataclasses import dataclass
from datetime import datetime

from libs.sub_indications import SubIndication
from services.seal.core.seal_rules import SealState
from services.seal.validation.rules import StepFinding, Times, failed, indeterminate, not_applicable, passed


@dataclass(frozen=True, slots=True)
class RegisteredSeal:
    """A seal that this region made.

    Attributes:
        structure: the SESeal as it was made, DER.
        state: its state now; EXPIRED is the matter of another step.
        make_time: when it was made: the proof that its structure existed.
        end_time: when it was revoked or replaced, or None.
    """

    structure: bytes
    state: SealState
    make_time: datetime
    end_time: datetime | None = None


def structure_finding(known: RegisteredSeal | None, structure: bytes) -> StepFinding:
    """Compares a seal with the one that this region registered under its esID, byte by byte.

    An esID is public, and so is the picture: a structure that only looks like a registered one is a forgery, whoever
    signed it.
    """
    if known is None:
        return not_applicable("this region registered no seal with this esID")
    if known.structure != structure:
        return failed(SubIndication.HASH_FAILURE, "this region registered another structure under this esID")
    return passed("the structure that this region registered")


def status_finding(known: RegisteredSeal | None, times: Times, *, recorded: bool) -> StepFinding:
    """Checks that a seal was neither revoked nor frozen when it was used. What was sealed before the end stays valid.

    Args:
        known: the seal.
        times: when it was used.
        recorded: whether this very use is on this region's record; none is recorded while a seal is frozen or after its
            end.
    """
    if known is None:
        return indeterminate(SubIndication.TRY_LATER, "the seal is not on this region's list")
    if known.end_time is not None:
        return _ended(known, known.end_time, times)
    if known.state is SealState.FROZEN and not recorded:
        return indeterminate(SubIndication.TRY_LATER, "the seal is frozen")
    return passed(f"{known.state}")


def _ended(known: RegisteredSeal, end: datetime, times: Times) -> StepFinding:
    evidence = f"{known.state} since {end.isoformat()}, used {times.stated.isoformat()}"
    if end <= times.stated:
        return failed(SubIndication.REVOKED, evidence)
    if end <= times.latest:
        return indeterminate(SubIndication.REVOKED_NO_POE, f"{evidence} without a proof of that time")
    return passed(evidence)


def existence_finding(
    known: RegisteredSeal | None, stamped: datetime | None, times: Times, *, recorded: bool
) -> StepFinding:
    """Tells what proves since when a signature exists.

    Every use of this region's seals is on record before the key is touched, so that a use that is not was made by somebody
    who has the key. One that states a time after the seal's end needs no proof: ``status_finding`` fails it.
    """
    if recorded:
        return passed("this region's record of the sealing")
    if stamped is not None:
        return passed(f"a time stamp of {stamped.isoformat()}")
    if known is not None and (known.end_time is None or times.stated < known.end_time):
        return indeterminate(SubIndication.NO_POE, "this region's seal, but no such use of it is on record")
    return not_applicable("nothing shows that it is older than this validation")
