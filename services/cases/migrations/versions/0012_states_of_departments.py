"""PostgreSQL knows which states a department's cases are in: a page of them is read along its index, not gathered and sorted.

It takes two columns for independent and so for a few rows what are thousands. Wherever a list has a path of two equal columns
the two have such statistics (tests/service/test_lists_read_little.py).
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.execute("CREATE STATISTICS cases_of_departments (dependencies, mcv) ON department, state FROM cases")


def downgrade() -> None:
    """Takes this revision back."""
    op.execute("DROP STATISTICS cases_of_departments")
