"""People are told who used their data."""

from alembic import op

from libs.db import common_0009

revision = "0024"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision; of what stands in the log already, reads of accounts say whose they were."""
    common_0009.upgrade()
    op.execute("""
INSERT INTO data_uses (subject, record_time, record_seq)
SELECT r.object, r.record_time, r.seq FROM audit_records AS r, LATERAL (SELECT convert_from(r.canonical, 'UTF8')::jsonb AS said) AS c
WHERE r.object ~ '^(//[^/]+/)?(persons|organizations)/' AND r.actor <> r.object AND c.said ->> 'result' = 'OK'
  AND (c.said ->> 'record_count')::bigint > 0 AND c.said -> 'fields' <> '[]'::jsonb
ORDER BY r.seq
""")


def downgrade() -> None:
    """Takes this revision back."""
    common_0009.downgrade()
