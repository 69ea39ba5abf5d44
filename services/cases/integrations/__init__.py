"""The neighbours of case handling: identity (parties, mandates, tokens) and license (presentations, materials, types)."""

from libs.errors import Code, TongbanError

_PASSING = frozenset({Code.UNAVAILABLE, Code.ABORTED, Code.DEADLINE_EXCEEDED, Code.INTERNAL, Code.UNAUTHENTICATED})


def is_passing(error: TongbanError) -> bool:
    """True where the same call may come out otherwise later: the callee is away, or trust is suspended for now.

    A sign-in that is too old grows no younger: the person signs in again, and that is another call.
    """
    if error.reason == "AUTHENTICATION_TOO_OLD":
        return False
    return error.code in _PASSING or error.reason in {
        "REGION_NOT_TRUSTED",
        "REGION_READS_ONLY",
        "PEER_NOT_ALLOWED",
        "RATE_LIMITED",
    }
