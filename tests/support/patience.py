"""How long a test waits for what must come: what it checks is never how fast the machine is (that stands in `./run bench`)."""

import functools

from libs.rpc import client

PATIENCE = 30.0
"""Seconds: above every stall of a busy machine's disk, below what would hide that nothing comes."""

invoke = functools.partial(client.invoke, timeout=PATIENCE)
invoke_recorded = functools.partial(client.invoke_recorded, timeout=PATIENCE)
stream = functools.partial(client.stream, timeout=PATIENCE)
