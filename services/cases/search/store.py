"""Lists of cases, and their history."""

from libs.db.engine import Database
from libs.db.query import Query
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.cases.core.cases import CaseRecord, cases
from services.cases.core.steps import HistoryRow
from tongban.cases.v1 import resources_pb2 as pb
from tongban.cases.v1.case_service_pb2 import ListCasesRequest

_STATED = ("task_code", "home_region", "receiving_region")
_DONE_BY = ("received_by", "accepted_by", "reviewed_by")
_TIMES = ("submit_time", "accept_time", "decide_time", "close_time", "deliver_time", "end_time")
LISTED = FilteredList(
    CaseRecord,
    ListCasesRequest,
    cases,
    {
        **{name: fields.text(name) for name in (*_STATED, *_DONE_BY)},
        **{name: fields.moment(name, nullable=True) for name in _TIMES},
        **{f"results.{name}": fields.only(name) for name in ("license", "license_identifier")},
        "number": fields.text("number", nullable=True),
        "item": fields.named("item", "serviceItems"),
        "state": fields.choice("state", pb.CaseState),
        "applicant.subject": fields.text("applicant"),
        "agent.subject": fields.text("agent"),
        "channel": fields.choice("channel", pb.Channel),
        "assurance": fields.number("assurance"),
        "rating": fields.choice("rating", pb.SatisfactionLevel),
        "create_time": fields.moment("create_time"),
    },
    {
        "create_time": Order(
            ("create_time", "id"),
            (
                Path(),
                Path(("applicant",)),
                Path(("agent",), "agent <> ''"),
                Path(("department",)),
                Path(("department", "state")),
                Path(("number",), few=True),
            ),
        )
    },
    "create_time desc",
)
_HISTORY = Query(
    HistoryRow,
    """
SELECT {columns} FROM case_history WHERE case_id = CAST(:case_id AS uuid) AND sequence > CAST(:after AS integer)
ORDER BY sequence LIMIT :size
""",
)


async def history(database: Database, case_id: str, after: int, size: int) -> list[HistoryRow]:
    """Reads up to ``size`` steps after the one with the number ``after``."""
    async with database.read() as connection:
        return await _HISTORY.all(connection, case_id=case_id, after=after, size=size)
