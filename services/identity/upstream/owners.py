"""Whose account here an account elsewhere is: by a link, or by who somebody was proven to be both there and here.

Nobody is found by an e-mail address or a phone: those are typed in, and change hands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from libs import names
from libs.crypto.envelope import Column
from libs.db.connection import DatabaseConnection
from libs.db.uow import Transaction
from libs.errors import InvalidArgument, NotFound
from libs.ids.uuid7 import uuid7
from services.identity.core.accounts import (
    IN_USE,
    Person,
    current_name,
    document_index,
    find_person,
    normal_number,
    person_by_document,
)
from services.identity.core.parts import Parts
from services.identity.upstream import links, rules
from services.identity.upstream.id_tokens import Identified
from services.identity.upstream.links import AccountLink, AccountLinkState
from services.identity.upstream.rules import Upstream
from tongban.identity.v1 import events_pb2 as events

_ACCOUNT = Column("account_links", "account")
_CITIZEN = "111"
_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class ProvenThere:
    """Who somebody was proven to be, there.

    Attributes:
        document: the blind index of the number of their identity card; empty where none was told, or none that was proven.
        person: whose that is here, proven here too and of the same name; empty where it is nobody's.
    """

    document: bytes = b""
    person: str = ""


class Owners:
    """Finds whose account it is, and keeps it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def account(self, upstream: Upstream, subject: str) -> bytes:
        """Returns what is kept of an account there: a blind index of issuer and subject."""
        return self._parts.cipher.blind_index(_ACCOUNT, f"{upstream.issuer}\0{subject}")

    async def proven(self, upstream: Upstream, who: Identified, level: int) -> ProvenThere:
        """Returns who somebody was proven to be there, at ``level``."""
        number, full_name = (_text(who.claims, each) for each in (upstream.number_claim, upstream.full_name_claim))
        if not (upstream.number_claim and number) or level < rules.PROVEN:
            return ProvenThere()
        try:
            normal = normal_number(_CITIZEN, number, "number", self._parts.clock.now().date())
        except InvalidArgument:
            return ProvenThere()
        index = document_index(self._parts.cipher, _CITIZEN, normal)
        async with self._parts.database.read() as connection:
            found = await _holder(connection, index)
        if found is None or not full_name or found.assurance < rules.PROVEN:
            return ProvenThere(index)
        same = names.same(found.clear_name(self._parts.cipher), full_name)
        return ProvenThere(index, found.name if same else "")

    async def known(self, account: bytes) -> str:
        """Returns whose an account there is by its link, or an empty string."""
        async with self._parts.database.read() as connection:
            link = await links.link_of(connection, account)
            return await current_name(connection, link.person) if link else ""

    async def living(self, tx: Transaction, account: bytes) -> AccountLink | None:
        """Reads the link of an account there: under the name that leads on where two accounts became one; what an account had that is closed ends."""
        link = await links.link_of(tx.connection, account)
        if link is None:
            return None
        owner, now = await current_name(tx.connection, link.person), self._parts.wall.now()
        found = await find_person(tx.connection, owner)
        if found is not None and found.state == IN_USE:
            if owner == link.person:
                return link
            return await links.UPDATE.one(tx.connection, link.id, person=owner, update_time=now)
        await links.UPDATE.one(tx.connection, link.id, state=AccountLinkState.REMOVED, update_time=now)
        tx.emit(link.name, events.AccountLinkRemoved(account_link=link.name, person=link.person))
        tx.record(link.name)
        return None

    async def linked(
        self, tx: Transaction, person: Person, upstream: Upstream, account: bytes, level: int
    ) -> AccountLink:
        """Links an account there with a person of here; ``level`` is how surely it was they who did it."""
        now, by = self._parts.wall.now(), (person.name, upstream.id, account)
        made = await links.ADD.add(tx.connection, AccountLink(uuid7(), *by, level, now, now))
        tx.emit(made.name, events.AccountLinkAdded(account_link=made.name, person=person.name, upstream=upstream.name))
        tx.record(made.name)
        return made


async def is_another(connection: DatabaseConnection, document: bytes, person: str) -> bool:
    """Says whether somebody was proven there to be another human being than ``person``: by a number that is not theirs here."""
    if not document:
        return False
    holder = await _holder(connection, document)
    return holder is None or holder.name != person


async def _holder(connection: DatabaseConnection, index: bytes) -> Person | None:
    try:
        return await person_by_document(connection, index)
    except NotFound:
        return None


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value.strip() if isinstance(value, str) and len(value) <= _LONGEST_TEXT else ""
