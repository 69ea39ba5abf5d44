"""Gives pending records their place in the Merkle tree and signs the new head."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.audit import merkle
from libs.audit.heads import head_text
from libs.clock import Clock
from libs.crypto.provider import Signer
from libs.db.engine import Database
from libs.db.leader import lead
from libs.db.protocol import begun
from libs.db.schema import audit_heads, audit_nodes, audit_pending, audit_records
from libs.observability import metrics

_BATCH = 4_000
_PAUSE_SECONDS = 0.25

_PENDING = (
    sa.select(audit_pending.c.seq, audit_records.c.leaf_hash)
    .join(audit_records, audit_records.c.seq == audit_pending.c.seq)
    .order_by(audit_pending.c.seq)
    .limit(_BATCH)
)
# Arrays, not rows: a batch is one statement of one size, however many records it takes up.
_STORE = sa.text("""
WITH leaves AS (
  INSERT INTO audit_leaves (leaf_index, record_seq) SELECT * FROM unnest(:indexes, :seqs)
), nodes AS (
  INSERT INTO audit_nodes (level, node_index, hash) SELECT * FROM unnest(:levels, :node_indexes, :hashes)
)
DELETE FROM audit_pending WHERE seq = ANY(:seqs)
""").bindparams(
    *(sa.bindparam(name, type_=ARRAY(sa.BigInteger)) for name in ("indexes", "seqs", "node_indexes")),
    sa.bindparam("levels", type_=ARRAY(sa.SmallInteger)),
    sa.bindparam("hashes", type_=ARRAY(sa.LargeBinary)),
)
_LAST = sa.select(audit_heads.c.tree_size, audit_heads.c.sign_time).order_by(audit_heads.c.tree_size.desc()).limit(1)


async def read_nodes(connection: AsyncConnection, wanted: Sequence[merkle.NodeId]) -> Mapping[merkle.NodeId, bytes]:
    """Reads complete subtree nodes."""
    if not wanted:
        return {}
    keys = sa.tuple_(audit_nodes.c.level, audit_nodes.c.node_index)
    rows = await connection.execute(sa.select(audit_nodes).where(keys.in_(wanted)))
    return {(row.level, row.node_index): row.hash for row in rows}


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

    async def _turn(self, connection: AsyncConnection) -> None:
        while True:
            async with begun(connection):
                done = await self.integrate(connection)
            if done:
                metrics.LOG_SIZE.set(self._size)  # told once it is committed
            if done < _BATCH:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def integrate(self, connection: AsyncConnection) -> int:
        """Takes up one batch within the open transaction and returns how many records it held."""
        rows = (await connection.execute(_PENDING)).all()
        if not rows:
            return 0
        last = (await connection.execute(_LAST)).first()
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

    async def _store(self, connection: AsyncConnection, size: int, seqs: list[int], new: list[merkle.Node]) -> None:
        await connection.execute(
            _STORE,
            {
                "indexes": list(range(size, size + len(seqs))),
                "seqs": seqs,
                "levels": [node.level for node in new],
                "node_indexes": [node.index for node in new],
                "hashes": [node.hash for node in new],
            },
        )

    async def _sign(self, connection: AsyncConnection, size: int, root: bytes, now: datetime) -> None:
        signature = await asyncio.to_thread(self._signer.sign, head_text(self._log, size, root, now))
        await connection.execute(
            sa.insert(audit_heads).values(
                tree_size=size, root_hash=root, sign_time=now, signature=signature, certificate=self._certificate
            )
        )
