"""What holds of every draft (AIP-133 to 135, 163): one table of rules, run against each kind of thing that has drafts.

A service's test says how one is made, read, changed and moved on; what must hold is said here, once.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from libs.errors import InvalidArgument, NotFound, TongbanError
from libs.process import Process
from libs.rpc.outputs import resource_fields
from tests.support import sql

Call = Callable[..., Awaitable[Any]]


@dataclass
class Drafts:
    """One kind of thing, as its test knows it.

    Attributes:
        process: the service's process: its database is compared.
        call: sends a request as who may write drafts, and gives the answer.
        create: returns the Create request of a new draft, without request_id; what it makes differs each time.
        update, delete: the requests' classes.
        read: reads one by its name, as who wrote it; raises NotFound.
        publish: moves a draft on, so that others rely on it; returns it.
        change: what is changed: a path, and the value that it gets.
        broken: a path, and a value that breaks a rule of its contract.
        output: a path that only the server writes.
        immutable: a path that stays, and another value; empty where there is none.
        reason: that which is told of what was moved on.
        but: tables that reading changes: those of the log, where a read is recorded.
    """

    process: Process
    call: Call
    create: Callable[[], Message]
    update: type[Message]
    delete: type[Message]
    read: Call
    publish: Call
    change: tuple[str, Any]
    broken: tuple[str, Any]
    output: tuple[str, Any]
    immutable: tuple[str, Any] = ("", None)
    reason: str = "STATE_CONFLICT"
    but: frozenset[str] = frozenset()
    noun: str = field(init=False)

    def __post_init__(self) -> None:
        self.noun = str(resource_fields(self.update.DESCRIPTOR)[0].name)

    async def made(self, **more: Any) -> Any:
        """A draft."""
        request: Any = self.create()
        request.MergeFrom(type(request)(request_id=new_id(), **more))
        return await self.call(request)

    def updating(self, draft: Any, *paths: str, **more: Any) -> Any:
        """A request that changes ``paths`` to what ``draft`` says."""
        values = {"etag": draft.etag, "request_id": new_id(), **more}
        mask = FieldMask(paths=paths)
        return self.update(**{self.noun: draft, "update_mask": mask, **values})

    def deleting(self, draft: Any, **more: Any) -> Any:
        """A request that throws a draft away."""
        return self.delete(**{"name": draft.name, "etag": draft.etag, "request_id": new_id(), **more})


def new_id() -> str:
    """A request_id."""
    return str(uuid.uuid4())


def put(resource: Any, path: str, value: Any) -> Any:
    """Returns a copy of a resource with another value at a path."""
    copy = type(resource)()
    copy.CopyFrom(resource)
    inner, names = copy, path.split(".")
    for name in names[:-1]:
        inner = getattr(inner, name)
    last = names[-1]
    inner.ClearField(last)
    if isinstance(value, Message):
        getattr(inner, last).CopyFrom(value)
    elif isinstance(value, list):
        getattr(inner, last).extend(value)
    else:
        setattr(inner, last, value)
    return copy


def at(resource: Any, path: str) -> Any:
    """The value at a path."""
    for name in path.split("."):
        resource = getattr(resource, name)
    return resource


async def refused(call: Awaitable[Any]) -> str:
    """The reason that a call is refused with."""
    with pytest.raises(TongbanError) as caught:
        await call
    return caught.value.reason


async def rules_of(call: Awaitable[Any]) -> list[tuple[str, str]]:
    """The fields and rules that a call is refused with."""
    with pytest.raises(InvalidArgument, match="FIELD_INVALID") as caught:
        await call
    return [(each.field, each.rule) for each in caught.value.violations]


_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


LOG = frozenset({"audit_records", "audit_pending", "audit_entries", "audit_nodes", "audit_leaves", "audit_heads"})
"""The tables of the log."""


async def everything(process: Process, *, but: frozenset[str] = frozenset()) -> dict[str, tuple[int, str]]:
    """How many rows each table of a service has, and a digest over all of them."""
    found: dict[str, tuple[int, str]] = {}
    async with process.database.read() as connection:
        for table in await sql.scalars(connection, _TABLES):
            if table in but:
                continue
            digest = f"SELECT count(*) AS n, coalesce(md5(string_agg(t::text, ';' ORDER BY t::text)), '') AS d FROM {table} t"
            row = (await sql.execute(connection, digest)).one()
            found[str(table)] = (row.n, row.d)
    return found


async def changes_by_its_mask(kind: Drafts) -> None:
    """What the mask names is changed and nothing else; a repeat brings the first answer; an etag is good for one change."""
    draft, (path, value) = await kind.made(), kind.change
    wanted = put(draft, path, value)
    request = kind.updating(put(wanted, *kind.output), path)
    changed = await kind.call(request)
    assert at(changed, path) == at(wanted, path)
    assert (changed.name, changed.create_time, changed.state) == (draft.name, draft.create_time, draft.state)
    assert changed.etag != draft.etag
    assert put(put(changed, path, value), "etag", draft.etag) == put(
        put(wanted, "update_time", changed.update_time), "etag", draft.etag
    )
    assert await kind.read(draft.name) == changed
    assert await kind.call(request) == changed
    assert await refused(kind.call(kind.updating(draft, path))) == "ETAG_MISMATCH"
    other = kind.updating(draft, path, request_id=request.request_id)
    assert await refused(kind.call(other)) == "REQUEST_ID_REUSED"
    whole = await kind.call(kind.updating(put(draft, "etag", changed.etag), "*"))
    assert at(whole, path) == at(draft, path)


async def refuses_what_can_not_be_changed(kind: Drafts) -> None:
    """Each fault of a mask has its rule, is told of the field, and changes nothing."""
    draft = await kind.made()
    before = await everything(kind.process, but=kind.but)

    async def told(*paths: str, resource: Any = draft) -> list[tuple[str, str]]:
        return await rules_of(kind.call(kind.updating(resource, *paths)))

    assert await told() == [("update_mask", "update_mask.empty")]
    assert await told("nothing_such") == [("update_mask", "update_mask.unknown")]
    assert await told(f"{kind.change[0]}.deeper.still") == [("update_mask", "update_mask.unknown")]
    assert await told("*", kind.change[0]) == [("update_mask", "update_mask.all")]
    assert await told(kind.output[0]) == [("update_mask", "update_mask.output_only")]
    assert await told("name") == [("update_mask", "update_mask.output_only")]
    path, value = kind.broken
    ((field_, _rule),) = await told(path, resource=put(draft, path, value))
    assert field_.startswith(f"{kind.noun}.{path}")
    assert await told(kind.change[0], resource=put(draft, "name", "x/y")) == [(f"{kind.noun}.name", "string.pattern")]
    path, value = kind.immutable
    if path:
        assert await told(path) == [("update_mask", "update_mask.immutable")]
        assert await told("*", resource=put(draft, path, value)) == [(f"{kind.noun}.{path}", "update_mask.immutable")]
    assert await kind.read(draft.name) == draft
    assert await everything(kind.process, but=kind.but) == before


async def is_thrown_away(kind: Drafts) -> None:
    """What was thrown away is not found; a repeat brings the first answer; nothing of it can be changed."""
    draft = await kind.made()
    assert await refused(kind.call(kind.deleting(put(draft, "etag", '"99"')))) == "ETAG_MISMATCH"
    request = kind.deleting(draft)
    await kind.call(request)
    with pytest.raises(NotFound):
        await kind.read(draft.name)
    await kind.call(request)
    assert await refused(kind.call(kind.deleting(draft))) == "RESOURCE_NOT_FOUND"
    assert await refused(kind.call(kind.updating(draft, kind.change[0]))) == "RESOURCE_NOT_FOUND"
    other = kind.deleting(await kind.made(), request_id=request.request_id)
    assert await refused(kind.call(other)) == "REQUEST_ID_REUSED"


async def stays_once_others_rely_on_it(kind: Drafts) -> None:
    """What was moved on is neither changed nor thrown away, and says why."""
    stands = await kind.publish(await kind.made())
    assert await refused(kind.call(kind.updating(stands, kind.change[0]))) == kind.reason
    assert await refused(kind.call(kind.deleting(stands))) == kind.reason
    assert await kind.read(stands.name) == stands


async def validates_only(kind: Drafts) -> None:
    """To create and to change can be tried: the answer is as it would be, and no row of any table is another."""
    draft, (path, value) = await kind.made(), kind.change
    before = await everything(kind.process, but=kind.but)
    create: Any = kind.create()
    create.MergeFrom(type(create)(request_id=new_id(), validate_only=True))
    tried = await kind.call(create)
    assert (tried.state, bool(tried.name)) == (draft.state, True)
    with pytest.raises(NotFound):
        await kind.read(tried.name)
    update = kind.updating(put(draft, path, value), path, validate_only=True)
    assert at(await kind.call(update), path) == at(put(draft, path, value), path)
    broken, wrong = kind.broken
    assert await rules_of(kind.call(kind.updating(put(draft, broken, wrong), broken, validate_only=True)))
    assert await kind.read(draft.name) == draft
    assert await everything(kind.process, but=kind.but) == before
    # The request_id stayed free: the same request, meant now, is done.
    update.validate_only = False
    assert at(await kind.call(update), path) == at(put(draft, path, value), path)


async def ignores_what_the_server_writes(kind: Drafts) -> None:
    """A Create that says a name, an etag or a state makes what it would have made without (AIP-203)."""
    path, value = kind.output
    request: Any = kind.create()
    resource = getattr(request, kind.noun)
    told = put(put(resource, "name", "somebody/else"), path, value)
    resource.CopyFrom(put(told, "etag", '"77"'))
    request.request_id = new_id()
    made = await kind.call(request)
    getattr(request, kind.noun).etag = '"78"'
    assert await kind.call(request) == made  # the same request: what is ignored makes no other of it
    other: Any = kind.create()
    other.request_id = request.request_id
    assert await refused(kind.call(other)) == "REQUEST_ID_REUSED"
    assert made.name != "somebody/else"
    assert made.etag != '"77"'
    assert at(made, path) != value


RULES = (
    changes_by_its_mask,
    refuses_what_can_not_be_changed,
    is_thrown_away,
    stays_once_others_rely_on_it,
    validates_only,
    ignores_what_the_server_writes,
)
"""What every kind is held to."""
