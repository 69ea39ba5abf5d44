"""A case keeps the days on which its clock stopped and went on: its deadlines are derived."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Days are those of China. The period that runs, or ran last, is that of acceptance until the case is accepted.
_STANDSTILLS = """
UPDATE cases SET standstills = found.days FROM (
  SELECT case_id, array_agg(day ORDER BY sequence, going) AS days FROM case_standstills
  CROSS JOIN LATERAL (VALUES
    (0, CAST(timezone('Asia/Shanghai', start_time) AS date)), (1, CAST(timezone('Asia/Shanghai', end_time) AS date))
  ) AS either (going, day)
  JOIN cases AS owner ON owner.id = case_id
  WHERE day IS NOT NULL AND phase = CASE WHEN owner.accept_time IS NULL THEN 'ACCEPTANCE' ELSE 'HANDLING' END
  GROUP BY case_id
) AS found WHERE found.case_id = cases.id
"""


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("cases", sa.Column("standstills", ARRAY(sa.Date()), nullable=False, server_default="{}"))
    op.add_column("cases", sa.Column("calendar_edition", sa.Integer(), nullable=False, server_default="0"))
    op.execute(_STANDSTILLS)
    # Their search dates are written anew by the first turn of the recounter.
    op.execute(
        "UPDATE cases SET calendar_edition = 1 WHERE clock_start IS NOT NULL AND decide_time IS NULL AND end_time IS NULL"
    )
    op.create_index(
        "cases_recount", "cases", ["calendar_edition", "id"], postgresql_where=sa.text("calendar_edition > 0")
    )
    op.drop_column("cases", "statutory_date")
    op.drop_column("cases", "stopped_on")


def downgrade() -> None:
    """Takes this revision back; the dates are derived anew by the next one."""
    op.add_column("cases", sa.Column("stopped_on", sa.Date(), nullable=True))
    op.add_column("cases", sa.Column("statutory_date", sa.Date(), nullable=True))
    op.drop_index("cases_recount", table_name="cases", postgresql_where=sa.text("calendar_edition > 0"))
    op.drop_column("cases", "calendar_edition")
    op.drop_column("cases", "standstills")
