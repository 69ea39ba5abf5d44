"""What all tables of the service are declared on, and the columns that many of them have beside those of ``libs.db.columns``.

Personal fields are encrypted; what must be found has a blind index.
"""

import sqlalchemy as sa

from libs.db import columns

METADATA = sa.MetaData()


def backers(name: str = "backers") -> columns.AnyColumn:
    """The human beings who stand behind what waits."""
    return columns.texts(name, empty=True)
