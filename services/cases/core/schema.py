"""What all tables of the service are declared on, and the columns that many of them have beside those of ``libs.db.columns``.

What is personal lies in one encrypted column a row (``sealed``: a protobuf message); what is searched, counted or
decided on stands beside it in clear, as codes and names of resources.
"""

import sqlalchemy as sa

METADATA = sa.MetaData()


def case_id(*, unique: bool | None = None) -> sa.Column[str]:
    """The id of the case that a row belongs to."""
    return sa.Column("case_id", sa.Uuid(as_uuid=False), nullable=False, unique=unique)
