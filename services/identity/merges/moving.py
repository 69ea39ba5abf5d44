"""What of an account that is taken in goes to the one that lives on, and what ends with it."""

from dataclasses import replace
from typing import Any

from libs.crypto.envelope import FieldCipher
from libs.db.uow import Transaction
from libs.ids.uuid7 import uuid7
from services.identity.core.accounts import Person
from services.identity.core.contact_points import ReachablePoint, new_point, points_of
from services.identity.core.further_documents import NUMBER, FurtherDocument, further_of
from services.identity.merges import store
from tongban.identity.v1 import events_pb2 as events

_MOST_POINTS = 5


async def move_documents(tx: Transaction, kept: Person, merged: Person, cipher: FieldCipher) -> None:
    """Gives the documents of an account, that on which it stood too, to the one that lives on; what was shown of them stays shown."""
    for each in await further_of(tx.connection, merged.id):
        await store.UPDATE_DOCUMENT.one(tx.connection, each.id, person=kept.id, update_time=tx.now)
    key = uuid7()
    await store.ADD_DOCUMENT.add(
        tx.connection,
        FurtherDocument(
            id=key,
            person=kept.id,
            document_type=merged.document_type,
            number=cipher.encrypt_text(NUMBER, key, merged.clear_number(cipher)),
            document_index=merged.document_index,
            expire_date=merged.document_expire_date,
            verify_time=merged.document_verify_time,
            create_time=tx.now,
            update_time=tx.now,
        ),
    )


async def move_points(tx: Transaction, kept: Person, merged: Person, cipher: FieldCipher) -> None:
    """Has the person also reached where the account that is taken in was shown to reach them, as far as there is room."""
    own = await points_of(tx.connection, kept, cipher)
    known = {each.value_index for each in own}
    theirs = [each for each in await points_of(tx.connection, merged, cipher) if each.verify_time]
    more = [each for each in theirs if each.value_index not in known][: max(0, _MOST_POINTS - len(own))]
    if not more:
        return
    if kept.phone and not await _stand_as_rows(tx, own):
        await store.ADD_POINT.add(tx.connection, own[0])
    for place, each in enumerate(more, len(own)):
        await store.ADD_POINT.add(tx.connection, _copied(each, kept.id, place, cipher, tx))


async def _stand_as_rows(tx: Transaction, own: list[ReachablePoint]) -> bool:
    """Says whether contact points are rows; the phone of an account of before is none until it is changed."""
    return await store.stands(tx.connection, own[0].id) if own else True


def _copied(point: ReachablePoint, person: str, place: int, cipher: FieldCipher, tx: Transaction) -> ReachablePoint:
    made = new_point(person, place, point.kind, point.clear_value(cipher), cipher, tx.now)
    return replace(made, verify_time=point.verify_time)


async def move_representation(tx: Transaction, kept: Person, merged: Person) -> None:
    """Has the firms that the person represents by law represented by the account that lives on."""
    for firm in await store.represented(tx.connection, merged.id):
        await store.UPDATE_ORGANIZATION.one(tx.connection, firm.id, legal_representative=kept.id, update_time=tx.now)
        told = events.OrganizationRepresentativeChanged(
            organization=firm.name, legal_representative=kept.name, previous=merged.name
        )
        tx.emit(firm.name, told)


def taking_in(kept: Person, merged: Person) -> dict[str, Any]:
    """Returns what changes, by column, of the account that lives on: the names that its owner had before."""
    return {"former": (*kept.former, *merged.former, merged.id)}
