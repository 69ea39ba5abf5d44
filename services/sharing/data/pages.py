"""Pages of a query: where one begins, which rows it gives, which it names only, and where the next goes on.

A page goes on after a *place*, and not after a count of rows, so that what is inserted or deleted meanwhile shows no row
twice and hides none: for each condition which of its values the row holds, and a digest of what tells the row from others
(``ReadableTable.place``). Rows of one place are equal in all that is mounted; the token says how many of them were given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from libs.db.paging import Pages, page_size
from libs.errors import reasons
from services.sharing.core.granting import GrantFacts
from services.sharing.data.holdings import Holding
from services.sharing.data.rules import GrantedUse
from services.sharing.data.values import CellFault, write_raw, writer_of
from tongban.common.v1 import value_pb2
from tongban.sharing.v1 import data_service_pb2 as pb

_MOST_BYTES = 2 * 1024 * 1024
"""A page ends early beyond this, so that every answer fits the transport."""

Place = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DataPage:
    """Which rows of a query are wanted.

    Attributes:
        limit: how many at most.
        given: how many the pages before gave.
        bound: how many one query may bring.
        place: where the page before ended; empty for the first.
        equals: how many rows of that place it ended with.
        order: what the pages before went by (``_order_of``); 0 where that was lost.
    """

    limit: int
    bound: int
    given: int = 0
    place: Place = ()
    equals: int = 0
    order: int = 0

    @property
    def asked(self) -> int:
        """How many rows to read: one more tells whether there are more, and those of the last place come again."""
        return self.limit + self.equals + 1


@dataclass(frozen=True, slots=True)
class GivenRow:
    """A row of the table as it is told: its place, its values, or why some of them can't be given."""

    place: Place
    row: pb.Row
    faults: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FoundRows:
    """The rows that were read for a page, and what the order of the query's pages hangs on now.

    Attributes:
        rows: without those that the page before gave already.
        order: of a table with a unique key, which columns that is; of another, all rows that are selected. While it is the
            same, no row comes twice and none is passed over.
    """

    rows: list[GivenRow]
    order: int


def _frame(request: pb.QueryRequest) -> pb.QueryRequest:
    """What a page token is bound to: everything but the transaction, of which each page has its own."""
    frame = pb.QueryRequest()
    frame.CopyFrom(request)
    frame.use_context.ClearField("transaction_id")
    return frame


def page_of(pages: Pages, request: pb.QueryRequest, grant: GrantFacts, row_limit: int) -> DataPage:
    """Returns the page that is asked for.

    Raises:
        InvalidArgument: PAGE_TOKEN_INVALID.
        ResourceExhausted: GRANT_QUOTA_EXHAUSTED, once the pages before brought all that one query may.
    """
    size, bound = page_size(request.page_size), grant.terms.quota.rows_per_query
    given, equals, order, *place = _position(pages, request) if request.page_token else [0, 0, 0]
    if given >= bound:
        raise reasons.grant_quota_exhausted(
            "one query brings no more rows",
            grant=grant.name,
            quota="rows_per_query",
            limit=str(bound),
        )
    limit = min(size, row_limit, bound - given)
    return DataPage(limit, bound, given, tuple(place), equals, order)


def _position(pages: Pages, request: pb.QueryRequest) -> list[int]:
    position = pages.position(_frame(request), request.page_token) or ()
    if len(position) != len(request.conditions) + 4 or not all(isinstance(part, int) for part in position):
        raise reasons.page_token_invalid("the page token can't be read")
    return [int(part) for part in position]


def _beyond(holding: Holding, rows: Sequence[Any], page: DataPage, width: int, raw: int = 0) -> list[tuple[Place, Any]]:
    """Pairs rows with their places, without those that the page before gave already."""
    count = len(rows[0]) - width - raw - (not holding.table().key) if rows else 0
    placed = [(tuple(row[width : width + count]), row) for row in rows]
    skipped = 0
    while skipped < page.equals and skipped < len(placed) and placed[skipped][0] == page.place:
        skipped += 1
    return placed[skipped:]


def _order_of(holding: Holding, rows: Sequence[Any], raw: int = 0) -> int:
    if holding.table().key:
        return holding.table().order
    # Without a row nothing is told of what is selected: not even the row that the page before ended with is there.
    return int(rows[0][-1 - raw]) if rows else 0


def found(holding: Holding, allowed: GrantedUse, rows: Sequence[Any], page: DataPage) -> FoundRows:
    """Returns the rows of a page as the driver read them; raises CellFault where a value can't be given."""
    width = len(allowed.fields)
    writers = [(code, writer_of(holding.fields[code].data_type)) for code in allowed.fields]
    result: list[GivenRow] = []
    for place, values in _beyond(holding, rows, page, width):
        row = pb.Row()
        cells = row.values
        for (code, write), value in zip(writers, values, strict=False):
            if value is None:
                cells[code].null_value = True
            else:
                write(cells[code], value)
        result.append(GivenRow(place, row, {}))
    return FoundRows(result, _order_of(holding, rows))


def found_raw(holding: Holding, allowed: GrantedUse, rows: Sequence[Any], page: DataPage) -> FoundRows:
    """Returns the rows of a page that came as the bytes of their texts, each cell judged by itself."""
    width = len(allowed.fields)
    judged = [_judged(holding, allowed, place, values) for place, values in _beyond(holding, rows, page, width, raw=1)]
    return FoundRows(judged, _order_of(holding, rows, raw=1))


def _judged(holding: Holding, allowed: GrantedUse, place: Place, values: Sequence[Any]) -> GivenRow:
    row, faults, table = pb.Row(), dict[str, str](), holding.table()
    for code, raw in zip(allowed.fields, values, strict=False):
        try:
            if raw is None:
                row.values[code].null_value = True
            else:
                write_raw(row.values[code], holding.fields[code].data_type, table.column_type(code), raw, values[-1])
        except CellFault as fault:
            faults[code] = fault.reason
    return GivenRow(place, row, faults)


def rows_message(
    pages: Pages, allowed: GrantedUse, request: pb.QueryRequest, page: DataPage, found: FoundRows
) -> pb.QueryResponse:
    """Builds the answer: the rows, those that can't be given by name, and the token of the next page."""
    changed = bool(page.place) and (page.order != found.order or not page.order)
    response, size, taken = pb.QueryResponse(refused_fields=allowed.refused_fields, rows_changed=changed), 0, 0
    rows = found.rows
    for each in rows[: page.limit]:
        size += each.row.ByteSize()
        if taken and size > _MOST_BYTES:
            break
        taken += 1
        if each.faults:
            response.unreadable_rows.append(_named(request, each))
        else:
            response.rows.append(each.row)
    if len(rows) > taken and page.given + len(response.rows) < page.bound:
        order = 0 if changed else found.order
        response.next_page_token = _next(pages, request, page, rows[:taken], len(response.rows), order)
    return response


def _named(request: pb.QueryRequest, each: GivenRow) -> pb.UnreadableRow:
    keys: dict[str, value_pb2.Value] = {
        condition.field: condition.values[number - 1]
        for condition, number in zip(request.conditions, each.place, strict=False)
    }
    return pb.UnreadableRow(keys=keys, fields=each.faults.keys(), reasons=each.faults.values())


def _next(
    pages: Pages, request: pb.QueryRequest, page: DataPage, taken: Sequence[GivenRow], given: int, order: int
) -> str:
    place = taken[-1].place
    equals = sum(each.place == place for each in taken) + (page.equals if page.place == place else 0)
    return pages.next_token(_frame(request), page.given + given, equals, order, *place)
