"""People are told who used their data."""

from alembic import op

from libs.db import common_0009

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision; of what was used already, the licences say whose they are."""
    common_0009.upgrade()
    op.execute("""
INSERT INTO data_uses (subject, record_time, record_seq)
SELECT DISTINCT holder, r.record_time, r.seq
FROM license_uses AS u JOIN licenses AS l ON l.id = u.license_id JOIN audit_records AS r ON 'license/auditRecords/' || r.id = u.record
CROSS JOIN LATERAL unnest(l.holders) AS holder WHERE holder <> r.actor ORDER BY r.seq
""")


def downgrade() -> None:
    """Takes this revision back."""
    common_0009.downgrade()
