"""Every member of staff is a person, and a department's only once."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.alter_column("staff", "person", existing_type=sa.Uuid(as_uuid=False), nullable=False)
    op.drop_index("staff_person", "staff")
    op.create_index(
        "staff_person", "staff", ["person", "department"], unique=True, postgresql_where=sa.text("state = 'ACTIVE'")
    )


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_index("staff_person", "staff")
    op.create_index("staff_person", "staff", ["person"], postgresql_where=sa.text("person IS NOT NULL"))
    op.alter_column("staff", "person", existing_type=sa.Uuid(as_uuid=False), nullable=True)
