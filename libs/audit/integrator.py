"""Gives pending records their place in the Merkle tree and signs the new head."""

import asyncio
from datetime import datetime

from libs.audit import merkle
from libs.audit.heads import head_text
from libs.audit.rows import ADD_HEAD, NEWEST_HEAD, PENDING, StoredHead, read_nodes
from libs.clock import Clock
from libs.crypto.provider import Signer
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.leader import lead
from libs.db.protocol import begun
from libs.db.statement import Statement
from libs.observability import metrics

_BATCH = 4_000
_PAUSE_SECONDS = 0.25

# Arrays, not rows: a batch is one statement of one size, however many records it takes up.
_STORE = Statement("""
WITH leaves AS (
  INSERT INTO audit_leaves (leaf_index, record_seq) SELECT * FROM unnest(CAST(:indexes AS bigint[]), CAST(:seqs AS bigint[]))
), nodes AS (
  INSERT INTO audit_nodes (level, node_index, hash)
  SELECT * FROM unnest(CAST(:levels AS smallint[]), CAST(:node_indexes AS bigint[]), CAST(:hashes AS bytea[]))
)
DELETE FROM audit_pending WHERE seq = ANY(:seqs)
""")


class Integrator:
    """The one writer of a service's tree.

    Leaves, nodes, head and the removal from the pending list are one transaction: after a crash the same records are
    taken up again and lead to the same tree.
    """

    def __init__(self, database: Database, log: str, signer: Signer, certificate: bytes, clock: Clock) -> None:
        self._database = database
        self._log = log
        self._signer = signer
        self._certificate = certificate
        self._clock = clock
        self._size = 0

    async def run(self) -> None:
        """Integrates for ever, on one replica at a time."""
        await lead(self._database, f"audit:{self._log}", self._turn)

    async def _turn(self, connection: DatabaseConnection) -> None:
        while True:
            async with begun(connection):
                done = await self.integrate(connection)
            if done:
                metrics.LOG_SIZE.set(self._size)  # told once it is committed
            if done < _BATCH:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def integrate(self, connection: DatabaseConnection) -> int:
        """Takes up one batch within the open transaction and returns how many records it held."""
        rows = await PENDING.all(connection, size=_BATCH)
        if not rows:
            return 0
        last = await NEWEST_HEAD.first(connection)
        size = last.tree_size if last else 0
        known = await read_nodes(connection, merkle.append_nodes(size))
        new = merkle.append(size, [row.leaf_hash for row in rows], merkle.getter(known))
        nodes = {**known, **{(node.level, node.index): node.hash for node in new}}
        await self._store(connection, size, [row.seq for row in rows], new)
        self._size = size + len(rows)
        # A later head is never signed as of an earlier time, whatever the machine's clock says.
        now = max(last.sign_time, self._clock.now()) if last else self._clock.now()
        await self._sign(connection, self._size, merkle.root(self._size, merkle.getter(nodes)), now)
        return len(rows)

    async def _store(self, connection: DatabaseConnection, size: int, seqs: list[int], new: list[merkle.Node]) -> None:
        await _STORE.execute(
            connection,
            {
                "indexes": list(range(size, size + len(seqs))),
                "seqs": seqs,
                "levels": [node.level for node in new],
                "node_indexes": [node.index for node in new],
                "hashes": [node.hash for node in new],
            },
        )

    async def _sign(self, connection: DatabaseConnection, size: int, root: bytes, now: datetime) -> None:
        signature = await asyncio.to_thread(self._signer.sign, head_text(self._log, size, root, now))
        await ADD_HEAD.add(connection, StoredHead(size, root, now, signature, self._certificate))
