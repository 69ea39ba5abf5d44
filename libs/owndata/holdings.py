"""What a service holds on somebody, kind by kind; each service says what its kinds are."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from google.protobuf.message import Message

from libs.access.actor import Actor
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.statement import Statement
from tongban.owndata.v1 import own_data_service_pb2 as pb

MOST = 10_000
"""So far is counted."""
KnownBy = Callable[[Actor, str], Awaitable[Sequence[str]]]
"""Under which names, beside their own, the uses of somebody's data are noted; asked for the caller, of whom the token speaks for."""


async def by_no_other_name(_actor: Actor, _subject: str) -> Sequence[str]:
    """They are noted under the name of the account alone."""
    return ()


Ask = Callable[[str], Message]


@dataclass(frozen=True)
class HeldKind:
    """A kind of resources that are somebody's.

    Attributes:
        type: the type of the resource, without ``tongban.cn/``.
        rows: the rows that are somebody's, as what stands behind FROM; ``:subject`` is the name of the person or firm, and
            ``:id`` its id (text), which is NULL for those of another region. It goes along an index.
        method: the method that reads them, ``<service>.v1.<Service>.<Rpc>``.
        ask: makes its request, of the name of whose they are.
        of: whose they can be.
    """

    type: str
    rows: str
    method: str
    ask: Ask
    of: tuple[str, ...] = ("persons", "organizations")

    @cached_property
    def statement(self) -> Statement:
        """The statement that counts them."""
        return Statement(f"SELECT count(*) FROM (SELECT FROM {self.rows} LIMIT {MOST}) AS held")  # noqa: S608 - our own words

    def is_of(self, subject: str) -> bool:
        """Says whether there can be any of this person or firm."""
        return subject.split("/")[-2] in self.of


async def counted(database: Database, kinds: Sequence[HeldKind], names: Sequence[str]) -> list[pb.Holding]:
    """Counts what is held on somebody under all of their ``names``, in the order of ``kinds``."""
    found = []
    async with database.read() as connection:
        for kind in (each for each in kinds if each.is_of(names[0])):
            count = sum([await _count(connection, kind, name) for name in names])
            found.append(pb.Holding(type=f"tongban.cn/{kind.type}", count=count, method=f"tongban.{kind.method}"))
    return found


async def _count(connection: DatabaseConnection, kind: HeldKind, name: str) -> int:
    values = {"subject": name, "id": None if name.startswith("//") else name.rpartition("/")[2]}
    row = await kind.statement.first(connection, values)
    return int(row[0]) if row else 0
