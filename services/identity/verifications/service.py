"""What other features ask of checks of real names: how many have failed, and that one is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from libs import names
from libs.db.connection import DatabaseConnection
from libs.db.uow import Transaction
from libs.errors import reasons
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, timestamp
from services.identity.core import assurance
from services.identity.core.accounts import Person
from services.identity.core.assurance import VerificationMethod
from services.identity.verifications import store
from services.identity.verifications.register import Register
from services.identity.verifications.store import Verification
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

_WITHIN = timedelta(hours=1)
_METHODS, _OUTCOMES = Names(resources.VerificationMethod), Names(resources.VerificationOutcome)


@dataclass(frozen=True, slots=True)
class NameCheck:
    """One check of a real name: how, with what outcome, and who vouches for it.

    ``details`` is what is kept of it beside that; of a comparison nothing that was stated.
    """

    method: VerificationMethod
    passed: bool
    verifier: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NameSource:
    """The source of truth for names and documents."""

    register: Register

    @property
    def verifier(self) -> str:
        """Who vouches for what it says, as verifications say it."""
        return self.register.name

    async def agrees(self, full_name: str, type_code: str, number: str) -> bool:
        """Asks whether name and document belong together; raises Unavailable DEPENDENCY_UNAVAILABLE where it is away."""
        # Registers write names as the glossary does; what an account was opened with may be written otherwise.
        return await self.register.matches(names.key(full_name), type_code, number)


async def check_failures(connection: DatabaseConnection, person: Person, now: datetime) -> None:
    """Raises ResourceExhausted RATE_LIMITED where too many checks of a person failed within the hour."""
    failed = await store.failures(connection, person.id, now, _WITHIN)
    if len(failed) >= store.MOST_FAILURES:
        wait = (failed[0].verify_time + _WITHIN - now).total_seconds()
        raise reasons.rate_limited("too many failed checks of this person", retry_after=max(1.0, wait))


async def keep(tx: Transaction, person: Person, check: NameCheck) -> resources.Verification:
    """Keeps a check of a person, whose row is locked, and tells of it."""
    level = assurance.after(person.assurance, check.method, passed=check.passed)
    outcome = store.PASSED if check.passed else store.FAILED
    made = Verification(uuid7(), person.id, check.method, outcome, level, check.verifier, dict(check.details), tx.now)
    await store.ADD.add(tx.connection, made)
    message = verification_message(made)
    tx.emit(
        person.name,
        events.PersonVerified(
            person=person.name,
            verification=message.name,
            method=message.method,
            outcome=message.outcome,
            assurance=message.assurance,
        ),
    )
    return message


def raised(person: Person, level: int, now: datetime) -> dict[str, Any]:
    """Returns what changes of an account that reaches a level, by column; nothing where it had that already."""
    return {"assurance": level, "assurance_time": now} if level > person.assurance else {}


def verification_message(row: Verification) -> resources.Verification:
    """Builds a check's message."""
    return resources.Verification(
        name=row.name,
        verifier=row.verifier,
        method=_METHODS.number(row.method.value),
        outcome=_OUTCOMES.number(row.outcome),
        assurance=row.assurance,
        verify_time=timestamp(row.verify_time),
    )
