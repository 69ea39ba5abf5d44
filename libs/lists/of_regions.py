"""What is a person's own in several regions, as one list (一网通办): each region is asked in the person's own name.

The other regions are asked by the same RPC that is served here, which does not pass the question on. Each decides itself what
the caller may see, and records it. What it answers is its word: rows that it calls another region's, or somebody else's, are
not taken.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import grpc
from google.api import resource_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from libs.access.actor import Actor
from libs.access.context import for_abroad, name_here
from libs.db.paging import MAX_PAGE_SIZE, Listing, Pages, page_size
from libs.errors import invalid_field, reasons
from libs.ids import names
from libs.ids.uuid7 import uuid7
from libs.lists import regional
from libs.lists.listing import FilteredList
from libs.lists.regional import Ask
from libs.rpc.call import Call
from libs.rpc.regions import Regions
from tongban.common.v1 import common_pb2

Row = TypeVar("Row", bound=Message)
Note = Callable[[Any], Awaitable[common_pb2.UseContext]]
"""Records that a request leaves for other regions; returns its context as it stands here, with the list's transaction id."""


def _as_it_is(_request: Any) -> None:
    """Changes nothing."""


@dataclass(frozen=True, slots=True)
class ListOfRegions(Generic[Row]):
    """A list whose request has ``regions`` and ``use_context``, and whose answer has ``unreachable``.

    Attributes:
        home: this region's id.
        pages: makes and reads tokens.
        regions: gives the other regions.
        method: the RPC's stub on a channel.
        answer: its answer.
        row: a row of it.
        rows: the field of the answer that holds them, which is called as their collection.
        listed: the list here.
        beside: fields of the request that say what only this region knows.
        own: tells whether a row of another region, named as this region names things, is the caller's.
        shorten: takes out of such a row what no list says: an older region may say it.
        whole: how a request is told to others where fields of it name this region's things.
    """

    home: str
    pages: Pages
    regions: Callable[[], Regions]
    method: Callable[[grpc.aio.Channel], Any]
    answer: type[Message]
    row: type[Row]
    rows: str
    listed: FilteredList[Any]
    beside: tuple[str, ...]
    own: Callable[[Row, Actor], bool]
    shorten: Callable[[Row], None]
    whole: Callable[[Any], None] = _as_it_is

    def check(self, request: Listing, actor: Actor) -> None:
        """Raises FIELD_INVALID where others than people of this region, by themselves, ask others, or what these can't answer."""
        if not actor.person or actor.delegate or actor.region:
            raise invalid_field(
                "regions", "regions.own", "people of this region ask others by themselves, for what is theirs"
            )
        if not request.use_context.purpose_code:
            raise invalid_field("use_context.purpose_code", "required", "say why other regions are asked")
        if any(getattr(request, name) for name in self.beside):
            raise invalid_field(
                "regions", "regions.beside", f"not beside {' and '.join(self.beside)}, of this region alone"
            )
        if self.home in request.regions:
            raise invalid_field("regions", "regions.home", "this region comes first in any case")
        if named := sorted(each for each in self.listed.compared(request) if names_a_thing(self.row.DESCRIPTOR, each)):
            raise invalid_field("filter", "filter.regions", f"each region has its own: {', '.join(named)}")

    async def page(self, request: Any, call: Call, home: Ask[Row], note: Note) -> tuple[Any, str]:
        """Reads a page of this region's rows, as ``home`` gives them, and then of those of the regions that are asked.

        Returns the answer, and the transaction id under which all regions record the list.
        """
        begin = regional.place_of(self.pages, request)
        asked = type(request)()
        asked.CopyFrom(request)
        asked.use_context.transaction_id = begin.transaction or request.use_context.transaction_id or uuid7()
        context = await note(asked)
        others = {region: self._of(region, request, context, call) for region in request.regions}
        found = await regional.page(home, others, begin, page_size(request.page_size, MAX_PAGE_SIZE))
        token = regional.token_of(self.pages, request, found.following, context.transaction_id)
        rows = {self.rows: found.rows}
        return self.answer(**rows, unreachable=found.unreachable, next_page_token=token), context.transaction_id

    def _of(self, region: str, request: Any, context: common_pb2.UseContext, call: Call) -> Ask[Row]:
        """Asks a region for a page of what is the caller's there."""

        async def ask(token: str, size: int) -> tuple[Sequence[Row], str]:
            wanted = type(request)()
            wanted.CopyFrom(request)
            wanted.ClearField("regions")
            self.whole(wanted)
            wanted.page_size, wanted.page_token = size, token
            wanted.use_context.CopyFrom(for_abroad(context, self.home, region))
            regions = self.regions()
            assertion = await regions.assertion_for(call.actor, region)
            found: Any
            found, receipt = await regions.invoke_recorded(
                region, self.method, wanted, self.answer, assertion=assertion
            )
            rows = [self._named(each, region, call.actor) for each in getattr(found, self.rows)]
            call.pass_on(receipt)
            return rows, found.next_page_token

        return ask

    def _named(self, row: Any, region: str, actor: Actor) -> Any:
        """Returns a row of another region, with all names in it as this region writes them."""
        name = names.parse(row.name, "name", self.rows)
        call_as_here(row, region, self.home)
        if name.region not in ("", region) or not self.own(row, actor):
            raise reasons.dependency_unavailable(
                f"//{region} shows what is not its own, or not the caller's",
                retry_after=60.0,
                dependency=f"//{region}",
            )
        row.name = str(replace(name, region=region))
        self.shorten(row)
        return row


def names_a_thing(row: Any, path: str) -> bool:
    """Tells whether a field (``item``, ``applicant.subject``) of what ``row`` describes names a thing, which has another name, or is none, elsewhere."""
    *outer, last = path.split(".")
    for each in outer:
        row = row.fields_by_name[each].message_type
    return _refers(row.fields_by_name[last])


def call_as_here(message: Message, region: str, home: str) -> None:
    """Writes every reference in what ``region`` said as ``home`` does: with its region in front, unless it is ``home``'s own."""
    for each, value in message.ListFields():
        repeated = each.is_repeated
        if _refers(each):
            said = [name_here(name, region, home) for name in (value if repeated else (value,))]
            if repeated:
                value[:] = said
            else:
                setattr(message, each.name, said[0])
        elif each.message_type is not None and not each.message_type.GetOptions().map_entry:
            for inner in value if repeated else (value,):
                call_as_here(inner, region, home)


def _refers(each: FieldDescriptor) -> bool:
    return bool(each.GetOptions().HasExtension(resource_pb2.resource_reference))
