"""What other features ask of roles: that a post may have them."""

from collections.abc import Iterable, Sequence

from libs.access import rights
from libs.db.connection import DatabaseConnection
from services.identity.core.duties import Duty
from services.identity.roles import rules, store


async def check_roles(connection: DatabaseConnection, names: Sequence[str], duties: Iterable[Duty]) -> None:
    """Checks that a post with these duties may have roles, and that they stay while it is made.

    Raises:
        NotFound: there is no such role.
        InvalidArgument: FIELD_INVALID where its duties do not give what a role names.
    """
    given = given_by(duties)
    for each in await store.keep(connection, names):
        rules.check_given(each.permissions, given, "post.roles")


def given_by(duties: Iterable[Duty]) -> frozenset[str]:
    """Returns the permissions that duties give, and those that every member of staff has."""
    return frozenset[str]().union(rights.HELD["STAFF"], *(rights.HELD[each] for each in duties))
