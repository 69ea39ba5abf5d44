"""Which replica of a service leads a task now: the one that holds its lock."""

import asyncpg
import psutil

from deploy.local.regions import replicas_of
from libs.db.leader import lock_key
from tests.support.regions import REPLICAS, Regions

_HOLDER = """
SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND datname = $1
  AND (classid::bigint << 32) | objid::bigint = $2
"""


async def leader(regions: Regions, region: str, service: str, task: str) -> str:
    """Returns the replica's name; empty while none leads."""
    dsn = (regions.state / region / "secrets" / "postgres.dsn").read_text(encoding="utf-8").strip()
    # Only the superuser sees whose session it is.
    connection = await asyncpg.connect(dsn)
    try:
        port: int | None = await connection.fetchval(_HOLDER, service, lock_key(task))
    finally:
        await connection.close()
    names = replicas_of(service, REPLICAS)
    return next((name for name in names if port in _ports(regions, region, name)), "")


def _ports(regions: Regions, region: str, name: str) -> set[int]:
    """The local ports of a replica's connections; none where it doesn't live."""
    pid = regions.cluster.snapshot.process(region, name).pid
    try:
        return {each.laddr.port for each in psutil.Process(pid).net_connections()} if pid else set()
    except psutil.NoSuchProcess:
        return set()
