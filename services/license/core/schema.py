"""What all tables of the service are declared on.

What a licence says of people (number, holders, face) lies encrypted in one column, ``content``: it is read and written
together, and one decryption a licence is what a read can afford. What must be found has a column of its own: accounts
of holders are opaque ids, numbers have a blind index, and the names of organisations are public.
"""

import sqlalchemy as sa

METADATA = sa.MetaData()
