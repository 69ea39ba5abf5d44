"""Forgets what signing in leaves behind: counts of attempts, pages that were opened and are over; notes what suspensions ended."""

from datetime import timedelta
from typing import Any

from libs.background import forever
from libs.db.query import Query
from services.identity.core import sign_in_grants
from services.identity.core.parts import Parts
from services.identity.signin import store
from services.identity.signin.rules import EnrollmentRow

_KEPT = timedelta(days=1)
_PAUSE_SECONDS = 3600.0
_FORGET_ENROLLMENTS = Query(
    EnrollmentRow,
    """DELETE FROM enrollments WHERE id IN (
      SELECT id FROM enrollments WHERE expire_time < CAST(:before AS timestamptz) LIMIT 1000 FOR UPDATE SKIP LOCKED
    ) RETURNING {columns}""",
)


class Forgetter:
    """Every replica may do it: it is right at any time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self) -> None:
        """Forgets for ever, once an hour."""
        await forever("signin", self.forget, _PAUSE_SECONDS)

    async def forget(self) -> None:
        """Forgets what has been over for a day, and notes of sign-ins that a suspension ended them."""
        before = self._parts.wall.now() - _KEPT
        statements: tuple[Query[Any], ...] = (store.FORGET_ATTEMPTS, _FORGET_ENROLLMENTS)
        async with self._parts.database.read() as connection:
            for statement in statements:
                while await statement.all(connection, before=before):
                    pass
            while await sign_in_grants.note_suspended(connection, self._parts.wall.now()):
                pass
