"""What other features ask of consents."""

from dataclasses import replace

from libs.access.actor import Actor
from libs.access.context import check_kind, name_here
from libs.db.uow import Transaction
from libs.errors import TongbanError, invalid_field
from services.identity.consents import rules, store
from services.identity.core.accounts import current_name
from services.identity.core.parts import Parts
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import events_pb2 as events


async def check_stated(parts: Parts, actor: Actor, context: common_pb2.UseContext, person: str) -> None:
    """Holds the basis that a read of a person's account names to what identity knows: a consent must be one that covers it.

    Raises:
        InvalidArgument: FIELD_INVALID with the rule ``basis.kind``, or ``consent.covers``: there is no such consent, it is another
            person's, for another reader, purpose or case, its time is over, or it was taken back. Which of these is not told.
    """
    check_kind(context, "consent", "law")
    if not context.consent:
        return
    recipient = actor.department or actor.subject
    case = name_here(context.case, parts.home, parts.home)
    use = rules.ConsentUse(person, recipient, [person], context.purpose_code, case)
    try:
        async with parts.database.read() as connection:
            row = await store.consent(connection, name_here(context.consent, parts.home, parts.home))
            use = replace(use, subject=await current_name(connection, person))
        rules.check_use(row, use, parts.clock.now())
    except TongbanError as refusal:
        raise invalid_field("use_context.consent", "consent.covers", "is no consent that covers this") from refusal


async def withdraw_all(tx: Transaction, subject: str) -> None:
    """Takes back whatever consents there are to the use of somebody's data, and tells of it."""
    for row in await store.withdraw_all(tx.connection, subject, tx.now):
        tx.emit(row.name, events.ConsentWithdrawn(consent=row.name, subject=row.subject, recipient=row.recipient))


async def hand_over_all(tx: Transaction, old: str, new: str) -> None:
    """Has the consents to the use of an account's data, past ones too, be of the account that took it in."""
    await store.rename_subject(tx.connection, old, new, tx.now)
