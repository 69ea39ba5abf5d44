"""What all tables of the service are declared on.

What was committed of a use of a seal is evidence: never changed, only added to.
"""

import sqlalchemy as sa

METADATA = sa.MetaData()
