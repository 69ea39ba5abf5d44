"""A service whose audit log can't be written, and what its contracts say leaves with a record only."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import asyncpg

from libs.db.engine import read_dsn
from libs.rpc.contract import Method
from libs.rpc.stages.disclosure import discloses
from tests.support import contracts
from tests.support.service import Service
from tongban.options.v1 import options_pb2


@asynccontextmanager
async def silenced(service: Service, role: str, table: str = "audit_records") -> AsyncIterator[None]:
    """Takes from the service, whose name is also its role's, the right to write audit records (or what stands beside them
    in another table), and gives it back."""
    owner = await asyncpg.connect(read_dsn(service.process.config.database.owner_dsn_file))
    await owner.execute(f"REVOKE INSERT ON {table} FROM {role}")
    try:
        yield
    finally:
        await owner.execute(f"GRANT INSERT ON {table} TO {role}")
        await owner.close()


_GRANT = b"oauth.client-credentials"


async def records(service: Service) -> list[str]:
    """The objects of all audit records, the newest last; without those of machines' own tokens, which tests take as they go."""
    owner = await asyncpg.connect(read_dsn(service.process.config.database.owner_dsn_file))
    found = await owner.fetch(
        "SELECT object FROM audit_records WHERE position($1 IN canonical) = 0 ORDER BY seq", _GRANT
    )
    await owner.close()
    return [row["object"] for row in found]


def reads(package: str) -> set[str]:
    """The short names of a package's reads that can give away somebody else's data: not those for people by themselves alone."""
    return {
        method.descriptor.name
        for method in contracts.methods()
        if method.name.startswith(f"{package}.") and discloses(method) and not method.writes and not _own_alone(method)
    }


def _own_alone(method: Method) -> bool:
    access = method.descriptor.GetOptions().Extensions[options_pb2.rpc].access
    return list(access.actors) == [options_pb2.ACTOR_KIND_PERSON]


def undriven(package: str, driven: Collection[str]) -> set[str]:
    """The reads of a package that no test drives, and those driven that give nothing away."""
    return reads(package) ^ set(driven)
