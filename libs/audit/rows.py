"""The log as it lies in PostgreSQL: records, the places of their leaves, complete subtrees, and signed heads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.audit import merkle
from libs.audit.heads import SignedHead
from libs.db.connection import DatabaseConnection
from libs.db.query import Insert, Query, joined, of
from libs.db.schema import audit_heads, audit_leaves, audit_nodes, audit_pending, audit_records


@of(audit_records)
@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record by its number, the bytes that its leaf is made over, and what can be told of them unread."""

    seq: int
    id: str
    record_time: datetime
    transaction_id: str
    object: str
    canonical: bytes


@of(joined(seq=audit_pending.c.seq, leaf_hash=audit_records.c.leaf_hash))
@dataclass(frozen=True, slots=True)
class PendingLeaf:
    """A record that has no place in the tree yet."""

    seq: int
    leaf_hash: bytes


@of(audit_leaves)
@dataclass(frozen=True, slots=True)
class Leaf:
    """The place of a record."""

    leaf_index: int
    record_seq: int


@of(audit_nodes)
@dataclass(frozen=True, slots=True)
class StoredNode:
    """The root of a complete subtree."""

    level: int
    node_index: int
    hash: bytes


@of(audit_heads)
@dataclass(frozen=True, slots=True)
class StoredHead:
    """A signed head; whose log it is of is known where it lies."""

    tree_size: int
    root_hash: bytes
    sign_time: datetime
    signature: bytes
    certificate: bytes

    def of_log(self, log: str) -> SignedHead:
        """Returns it as the head of ``log``."""
        return SignedHead(log, self.tree_size, self.root_hash, self.sign_time, self.signature, self.certificate)


RECORD = Query(StoredRecord, "SELECT {columns} FROM audit_records WHERE id = :id")
LEAF = Query(Leaf, "SELECT {columns} FROM audit_leaves WHERE record_seq = :seq")
PENDING = Query(
    PendingLeaf,
    """
SELECT {columns} FROM (
  SELECT p.seq, r.leaf_hash FROM audit_pending AS p JOIN audit_records AS r ON r.seq = p.seq ORDER BY p.seq LIMIT :size
) AS pending ORDER BY seq
""",
)
NEWEST_HEAD = Query(StoredHead, "SELECT {columns} FROM audit_heads ORDER BY tree_size DESC LIMIT 1")
HEAD = Query(StoredHead, "SELECT {columns} FROM audit_heads WHERE tree_size = :tree_size")
ADD_HEAD = Insert(StoredHead)
_NODES = Query(
    StoredNode,
    """
SELECT {columns:n} FROM unnest(CAST(:levels AS smallint[]), CAST(:indexes AS bigint[])) AS wanted (level, node_index)
JOIN audit_nodes AS n ON n.level = wanted.level AND n.node_index = wanted.node_index
""",
)


async def read_nodes(connection: DatabaseConnection, wanted: Sequence[merkle.NodeId]) -> Mapping[merkle.NodeId, bytes]:
    """Reads complete subtree nodes."""
    if not wanted:
        return {}
    levels, indexes = [level for level, _ in wanted], [index for _, index in wanted]
    rows = await _NODES.all(connection, levels=levels, indexes=indexes)
    return {(row.level, row.node_index): row.hash for row in rows}
