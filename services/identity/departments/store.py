"""What is written and listed of departments and their posts."""

from collections.abc import Sequence

from libs.db.connection import DatabaseConnection
from libs.db.query import Insert, Page
from services.identity.core.staff import Department, Post

ADD_DEPARTMENT, ADD_POST = Insert(Department), Insert(Post)
# The first condition finds the place in the index, the second the place among those of the same name.
_AFTER = {
    "after": "display_name >= :after",
    "after_id": "(display_name, id) > (CAST(:after AS text), CAST(:after_id AS uuid))",
}
_DEPARTMENTS = Page(
    Department, "{columns} FROM departments", "display_name, id", {"parent": "parent = CAST(:parent AS uuid)", **_AFTER}
)
_POSTS = Page(
    Post, "{columns} FROM posts", "display_name, id", {"department": "department = CAST(:department AS uuid)", **_AFTER}
)
Position = Sequence[str | int] | None
"""Display name and id after which a page begins; None for the first."""


async def departments(
    connection: DatabaseConnection, size: int, parent: str | None, after: Position
) -> list[Department]:
    """Lists departments by name; with ``parent``, an id, only those directly below it."""
    text, key = after or (None, None)
    return await _DEPARTMENTS.rows(connection, size, parent=parent, after=text, after_id=key)


async def posts(connection: DatabaseConnection, size: int, department: str, after: Position) -> list[Post]:
    """Lists a department's posts by name."""
    text, key = after or (None, None)
    return await _POSTS.rows(connection, size, department=department, after=text, after_id=key)
