"""What PostgreSQL's errors, and the driver's, mean to a caller, and to the connection they came over."""

import asyncpg

from libs.errors import Aborted, AlreadyExists, TongbanError, Unavailable, reasons

_RETRYABLE = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available
_UNIQUE = "23505"
_CANCELED = "57014"
_AWAY = ("08", "57P", "53", _CANCELED)  # connection, operator intervention, insufficient resources, statement timeout
_GONE = ("08", "57P", "53")  # of these, what ends a connection, or lets none begin
_UNSURE = ("08", "57", "53", "58", "XX", "40003")  # said of COMMIT, these leave open whether it was done
_BROKEN = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError)
"""What the driver raises on a connection that is of no more use. A server that dies in the middle of an answer leaves
the driver's protocol in a state it can't go on from (InternalClientError) while the connection still counts as open."""


class ProtocolError(Exception):
    """A connection, or the server over it, did not do what a transaction needs; the connection must not be used again."""


DATABASE_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    ProtocolError,
)
"""Whatever a use of the database may raise, in the driver's words and in ours."""


class NoRoom(Exception):
    """All connections were in use for as long as one may wait."""


def state_of(error: BaseException) -> str:
    """Returns the SQLSTATE of what the driver raised, or an empty string."""
    return str(getattr(error, "sqlstate", None) or "")


def is_broken(error: BaseException) -> bool:
    """Whether the connection is of no more use."""
    return isinstance(error, (*_BROKEN, ProtocolError))


def is_gone(error: BaseException) -> bool:
    """Whether the server went away, or does not answer: what holds of one connection then holds of all."""
    if isinstance(error, (OSError, asyncpg.PostgresConnectionError, asyncpg.InternalClientError)):
        return True  # TimeoutError, which the driver raises where no answer came, is an OSError
    return state_of(error).startswith("57P")


def is_refused(error: BaseException) -> bool:
    """Whether a statement was refused for what it is or holds, by the server or before it left; and no connection broke."""
    if isinstance(error, asyncpg.PostgresError):
        return not state_of(error).startswith(_GONE)
    return isinstance(error, (asyncpg.DataError, ValueError))


def is_unsure(error: BaseException) -> bool:
    """Whether ``error``, which COMMIT ended with, leaves open if it was done."""
    state = state_of(error)
    return state.startswith(_UNSURE) if state else True


def translated(error: Exception) -> TongbanError | None:
    """Returns what a driver's error means to the caller, or None where it is a fault of ours.

    The driver's own words never leave: they hold values.
    """
    if isinstance(error, NoRoom) or is_broken(error):
        return away()
    if not isinstance(error, asyncpg.PostgresError):
        return None
    state = state_of(error)
    if state == _UNIQUE:
        return _taken(error.table_name)
    if state in _RETRYABLE:
        return _changed()
    return away() if state.startswith(_AWAY) else None


def _taken(table: str | None) -> AlreadyExists:
    return reasons.resource_exists("a resource with this key exists already", resource=table or "resource")


def _changed() -> Aborted:
    return reasons.concurrent_change("another change was under way; try again", retry_after=0.1)


def away() -> Unavailable:
    """The database does not answer."""
    return reasons.dependency_unavailable("the database does not answer", retry_after=1.0, dependency="database")


class OutcomeUnknown(Unavailable):
    """COMMIT was asked for and its answer not seen: it may have been done. A repeat with the same request_id finds out."""

    def __init__(self) -> None:
        super().__init__(
            "DEPENDENCY_UNAVAILABLE",
            "the database did not answer whether this was done; repeat it with the same request_id",
            retry_after=1.0,
            dependency="database",
        )
