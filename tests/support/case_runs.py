"""Cases driven through their whole lives while the region fails under them: every step is repeated until it succeeds."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Any, TypeVar

import httpx

from deploy.local.demo.application import eventually
from deploy.local.demo.catalogue import DemoItem
from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import RegisteredFirm, Registry
from libs.errors import Code, TongbanError
from tests.support.values import messages
from tongban.cases.v1 import case_service_pb2
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2, party_pb2

Value = TypeVar("Value")
PASSING = frozenset({Code.UNAVAILABLE, Code.ABORTED, Code.DEADLINE_EXCEEDED})
"""Codes on which a client repeats a call with the same request_id (contracts: retryable)."""
_REPEAT_FOR = 60.0
_PAUSE = 0.1
_AT_ONCE = 12


async def until_done(call: Callable[[], Awaitable[Value]]) -> tuple[Value, int]:
    """Repeats ``call`` while it fails in passing; returns its value and the number of repeats."""
    repeats = 0
    async with asyncio.timeout(_REPEAT_FOR):
        while True:
            try:
                return await call(), repeats
            except TongbanError as error:
                if error.code not in PASSING:
                    raise
            except (httpx.TransportError, TokenEndpointAway):
                pass
            repeats += 1
            await asyncio.sleep(_PAUSE)


class TokenEndpointAway(Exception):
    """The gateway could not reach the token endpoint."""


async def token_of(office: Office, duty: str) -> str:
    """A token of the member of staff with a duty; raises TokenEndpointAway while identity does not answer."""
    try:
        return await office.token_of(duty)
    except RuntimeError as error:
        if "DEPENDENCY_UNAVAILABLE" in str(error) or "NOT_DONE_IN_TIME" in str(error):
            raise TokenEndpointAway from error
        raise


@dataclass
class CaseRun:
    """A number of cases of one item of an office, run side by side.

    Attributes:
        office: who handles them.
        item: what is applied for.
        created: called when an application was taken.
        decided: called with the number of cases decided so far.
        open_gate: no step begins while it is cleared.
        names: the names of the cases, in no order.
        numbers: the numbers that submission gave them.
        repeats: how many calls had to be repeated.
    """

    office: Office
    item: DemoItem
    _: KW_ONLY
    created: Callable[[int], None] = lambda _count: None
    decided: Callable[[int], None] = lambda _count: None
    open_gate: asyncio.Event = field(default_factory=asyncio.Event)
    names: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    repeats: int = 0

    async def run(self, count: int, seed: int) -> None:
        """Takes ``count`` cases from application to decision."""
        registry = Registry(self.office, seed)
        person, _ = await until_done(registry.person)
        firm, _ = await until_done(lambda: registry.firm(person))
        left = iter(range(count))
        self.open_gate.set()

        async def worker() -> None:
            for _ in left:
                await self._life(firm)

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(worker())

    async def _step(self, request: Any, duty: str) -> pb.Case:
        async def call() -> pb.Case:
            token = await token_of(self.office, duty)
            return await self.office.gateway.using(token).call(request, pb.Case)

        await self.open_gate.wait()
        case, repeats = await until_done(call)
        self.repeats += repeats
        return case

    async def _life(self, firm: RegisteredFirm) -> None:
        name = (await self._step(application(self.office, self.item, firm), "receiving")).name
        self.created(len(self.names))
        submit = case_service_pb2.SubmitCaseRequest(name=name, request_id=request_id())
        submitted = await self._step(submit, "receiving")
        accept = case_service_pb2.AcceptCaseRequest(name=name, etag=submitted.etag, request_id=request_id())
        await self._step(accept, "receiving")
        review = case_service_pb2.StartReviewRequest(name=name, request_id=request_id())
        reviewed = await self._step(review, "reviewing")
        await self._step(approval(reviewed), "deciding")
        self.names.append(name)
        self.numbers.append(submitted.number)
        self.decided(len(self.names))

    async def closed(self) -> pb.Case:
        """Waits until every case of the run is closed and returns the last; raises TimeoutError if one never is."""
        case = pb.Case()
        for name in self.names:
            case = await eventually(partial(self._read, name), is_closed, f"{name} closed")
        return case

    async def _read(self, name: str) -> pb.Case:
        context = common_pb2.UseContext(
            purpose_code="SUPERVISION", purpose="办件督办", case=name, department=self.office.department
        )
        return await self._step(case_service_pb2.GetCaseRequest(name=name, use_context=context), "receiving")


def is_closed(case: pb.Case) -> bool:
    """Whether a case is closed."""
    return case.state == pb.CASE_STATE_CLOSED


def application(office: Office, item: DemoItem, firm: RegisteredFirm) -> case_service_pb2.CreateCaseRequest:
    """What a firm hands in at the window."""
    document = common_pb2.IdentityDocument(type_code="001", number=firm.uscc)
    drafted = pb.Case(
        item=office.items[item.number],
        channel=pb.CHANNEL_WINDOW,
        applicant=party_pb2.Applicant(
            kind=party_pb2.PARTY_KIND_ENTERPRISE, subject=firm.name, display_name=firm.display_name, document=document
        ),
        form_values=messages(address="示例路1号", scope="一般项目:示例经营活动"),
    )
    return case_service_pb2.CreateCaseRequest(case=drafted, request_id=request_id())


def approval(case: pb.Case) -> case_service_pb2.DecideCaseRequest:
    """The decision that approves a case as it was read."""
    return case_service_pb2.DecideCaseRequest(
        name=case.name,
        etag=case.etag,
        outcome=pb.OUTCOME_APPROVED,
        reason="材料齐全,符合法定条件",
        request_id=request_id(),
    )
