"""Accounts that become one; roles of posts; departments that move, are renamed and close; certificates of window staff."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("persons", columns.texts("former", empty=True))
    op.create_table(
        "person_merges",
        columns.record_id(),
        columns.reference("kept", "persons.id"),
        columns.reference("merged", "persons.id"),
        columns.texts("evidence"),
        columns.texts("backers"),
        *columns.given("state"),
        columns.moment("finish_time"),
        *columns.life(),
        comment="Accounts of the same human being that became one, or wait for a second one to say so.",
    )
    op.create_index("person_merges_created", "person_merges", ["create_time", "id"])
    op.create_index("person_merges_kept", "person_merges", ["kept", "create_time", "id"])
    op.create_index("person_merges_merged", "person_merges", ["merged", "create_time", "id"])
    op.add_column("posts", columns.texts("roles", empty=True))
    op.create_table(
        "roles",
        columns.record_id(),
        *columns.given("display_name"),
        columns.texts("permissions"),
        *columns.life(),
        comment="Roles: permissions that narrow what the duties of a post give.",
    )
    op.create_index("roles_name", "roles", ["display_name"], unique=True)
    op.create_index("posts_roles", "posts", ["roles"], postgresql_using="gin")
    op.add_column("departments", sa.Column("state", sa.Text, nullable=False, server_default="ACTIVE"))
    op.add_column("departments", columns.moment("close_time"))
    op.create_table(
        "department_changes",
        columns.record_id(),
        columns.reference("department", "departments.id"),
        *columns.given("kind", "previous", "changer"),
        columns.moment("change_time", nullable=False),
        comment="What departments were called, and below which they lay, before they were renamed, moved or closed; by whom.",
    )
    op.create_index("department_changes_of", "department_changes", ["department", "change_time", "id"])
    op.add_column("staff", columns.text("certificate_number"))
    op.add_column("staff", sa.Column("certificate_expire_date", sa.Date))


def downgrade() -> None:
    """Takes this revision back."""
    for column in ("certificate_expire_date", "certificate_number"):
        op.drop_column("staff", column)
    op.drop_table("department_changes")
    for column in ("close_time", "state"):
        op.drop_column("departments", column)
    op.drop_index("posts_roles", "posts")
    op.drop_table("roles")
    op.drop_column("posts", "roles")
    op.drop_table("person_merges")
    op.drop_column("persons", "former")
