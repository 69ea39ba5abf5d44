"""Which exchange is asked for: what the fields of a request say together (RFC 8693, 2.1)."""

from dataclasses import dataclass
from enum import Enum, auto

from libs.errors import reasons

ACCESS_URN = "urn:ietf:params:oauth:token-type:access_token"
ASSERTION_URN = "urn:ietf:params:oauth:token-type:jwt"
DELEGATION_URN = "urn:tongban:params:oauth:token-type:delegation"


class ExchangeKind(Enum):
    """What an exchange does."""

    ASSERT = auto()
    ACCEPT = auto()
    ACT_FOR = auto()
    AT_WINDOW = auto()
    DELEGATE = auto()
    USE_DELEGATION = auto()


@dataclass(frozen=True, slots=True)
class AskedExchange:
    """The fields of an exchange that tell what is asked for.

    Attributes:
        subject_type: the URN of the subject token.
        requested_type: the URN asked for, or an empty string.
        abroad: True where the audience is another region.
        actor: True where there is an actor token.
        on_behalf_of: True where the subject wants to act for somebody.
        transfer: True where a transfer is named.
    """

    subject_type: str
    requested_type: str = ""
    abroad: bool = False
    actor: bool = False
    on_behalf_of: bool = False
    transfer: bool = False


def route(asked: AskedExchange) -> ExchangeKind:
    """Tells which exchange is asked for; raises InvalidArgument EXCHANGE_NOT_SUPPORTED where it is none."""
    wanted = asked.requested_type or (ASSERTION_URN if asked.abroad else ACCESS_URN)
    key = (asked.subject_type, wanted, asked.abroad, asked.on_behalf_of, asked.transfer, asked.actor)
    if key not in _ROUTES:
        raise reasons.exchange_not_supported("these fields make no known exchange", rule="combination")
    return _ROUTES[key]


# subject type, requested type, abroad, on_behalf_of, transfer, actor
_ROUTES = {
    (ACCESS_URN, ASSERTION_URN, True, False, False, False): ExchangeKind.ASSERT,
    (ACCESS_URN, ASSERTION_URN, True, False, False, True): ExchangeKind.ASSERT,
    (ASSERTION_URN, ACCESS_URN, False, False, False, False): ExchangeKind.ACCEPT,
    (ACCESS_URN, ACCESS_URN, False, True, False, False): ExchangeKind.ACT_FOR,
    (ACCESS_URN, ACCESS_URN, False, False, False, True): ExchangeKind.AT_WINDOW,
    (ACCESS_URN, DELEGATION_URN, True, False, True, False): ExchangeKind.DELEGATE,
    (DELEGATION_URN, ASSERTION_URN, True, False, True, True): ExchangeKind.USE_DELEGATION,
}
