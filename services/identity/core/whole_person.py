"""An account with what belongs to it: further documents, and how the person is reached."""

from dataclasses import dataclass

from libs.crypto.envelope import FieldCipher
from libs.db.connection import DatabaseConnection
from services.identity.core.accounts import Person
from services.identity.core.contact_points import ReachablePoint, points_of
from services.identity.core.further_documents import FurtherDocument, further_of


@dataclass(frozen=True, slots=True)
class WholePerson:
    """An account, its documents beside the one on which it stands, and its contact points."""

    row: Person
    further: list[FurtherDocument]
    points: list[ReachablePoint]


async def whole(connection: DatabaseConnection, row: Person, cipher: FieldCipher) -> WholePerson:
    """Reads what belongs to an account."""
    return WholePerson(row, await further_of(connection, row.id), await points_of(connection, row, cipher))
