"""Eighteen callers of RPCs that name a real thing, and what each is answered: for the matrix of things.

What each is answered is written down in `tests/conformance/matrix_of_things.txt`, a line for each RPC and thing and a letter for each
caller, out of what the contract says of who may call it; the test takes nothing of it from the code.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
from google.protobuf.message import Message

from libs.access.rights import HELD
from libs.errors import TongbanError
from libs.rpc.contract import Method
from libs.rpc.status import from_rpc_error
from libs.security.withdrawals import STANDS_NOT, WithdrawnParties
from tests.support import contracts
from tests.support.calls import OTHER_REGION
from tests.support.patience import PATIENCE
from tests.support.service import Service

TABLE = Path(__file__).parents[1] / "conformance" / "matrix_of_things.txt"
_ID = "00000000-0000-7000-8000-0000000000"
OWNER, OTHER, REPRESENTATIVE, RIVAL, AGENT, GUARDIAN, STRANGE_GUARDIAN, WARD = (
    f"persons/{_ID}{end}" for end in ("a1", "a3", "a4", "a5", "a2", "a6", "a7", "a8")
)
FIRM, OTHER_FIRM = f"organizations/{_ID}f1", f"organizations/{_ID}f9"
MANDATE, REVOKED, GUARDIANSHIP = (f"mandates/{_ID}{end}" for end in ("e1", "e8", "e9"))
CLERK, COLLEAGUE, STRANGE_CLERK, WINDOW_CLERK = (f"staff/{_ID}{end}" for end in ("71", "72", "73", "74"))
CLIENT, OTHER_CLIENT, SYSTEM = "clients/hall", "clients/another", "clients/departments-own"
DUTIES = ("RECEIVING", "REVIEWING", "DECIDING", "SEAL_CUSTODY", "DATA", "ADMINISTRATION")

LETTERS = MappingProxyType(
    {
        "": "Y",
        "ETAG_MISMATCH": "Y",
        "STATE_CONFLICT": "Y",
        "RESOURCE_EXISTS": "Y",
        "TOKEN_INVALID": "t",
        "ACTOR_NOT_ALLOWED": "k",
        "PERMISSION_MISSING": "-",
        "RESOURCE_NOT_FOUND": "?",
        "NOT_OWNER": "o",
        "LICENSE_USE_NOT_ALLOWED": "u",
        "SEAL_USE_NOT_ALLOWED": "u",
        "PRESENTATION_BOUND_ELSEWHERE": "b",
        "CONSENT_MISSING": "c",
        "REGION_MISMATCH": "r",
        "CASE_MANDATE_NOT_COVERING": "m",
        "GRANT_MISSING": "g",
        "FIELD_INVALID": "f",
    }
)
"""How each answer is written. `Y` is let in: answered, or refused for what the thing is at; `.` is a list without the thing."""
NOT_THERE = "."


@dataclass(frozen=True)
class Teller:
    """A kind of caller.

    Attributes:
        name: as the table heads it.
        subject: of whom the token speaks.
        kind: the kind in the token.
        roles: whose permissions it holds.
        claims: what else it says.
        office: whether it is of the department that the thing is of (`True`), of another (`False`), or of none.
    """

    name: str
    subject: str
    kind: str
    roles: tuple[str, ...]
    claims: dict[str, Any] = field(default_factory=dict)
    office: bool | None = None

    @property
    def scope(self) -> str:
        """The permissions; none that opens everything to who audits."""
        held = frozenset[str]().union(*(HELD[each] for each in self.roles))
        return " ".join(sorted(each for each in held if not each.startswith("audit.")))


def _person(name: str, subject: str, **claims: Any) -> Teller:
    return Teller(name, subject, "PERSON", ("PERSON",), claims)


def _window(name: str, subject: str) -> Teller:
    claims = {"act": {"sub": WINDOW_CLERK}}
    return Teller(name, subject, "STAFF", ("PERSON", "WINDOW"), claims, office=True)


TELLERS = (
    _person("owner", OWNER),
    _person("another person", OTHER),
    _person("who represents the firm", REPRESENTATIVE, org=FIRM),
    _person("who represents another firm", RIVAL, org=OTHER_FIRM),
    _person("agent of the firm", AGENT, org=FIRM, mandate=MANDATE),
    _person("agent whose mandate was revoked", AGENT, org=FIRM, mandate=REVOKED),
    _person("guardian of the owner", GUARDIAN, org=OWNER, mandate=GUARDIANSHIP),
    _person("guardian of another", STRANGE_GUARDIAN, org=WARD, mandate=GUARDIANSHIP),
    _window("owner at a window of the department", OWNER),
    _window("another person at that window", OTHER),
    Teller("staff of the department with the duty", CLERK, "STAFF", ("STAFF", *DUTIES), office=True),
    Teller("staff of another department with the duty", STRANGE_CLERK, "STAFF", ("STAFF", *DUTIES), office=False),
    Teller("staff of the department without a duty", COLLEAGUE, "STAFF", ("STAFF",), office=True),
    Teller("client that brought it", CLIENT, "CLIENT", ("ADMINISTRATOR", "ADMINISTRATION")),
    Teller("another client", OTHER_CLIENT, "CLIENT", ("ADMINISTRATOR", "ADMINISTRATION")),
    Teller(
        "guest",
        f"//{OTHER_REGION}/{OWNER}",
        "PERSON",
        ("PERSON",),
        {"region": OTHER_REGION},
    ),
    Teller(
        "service of another region",
        f"//{OTHER_REGION}/services/license",
        "REGION",
        ("REGION",),
        {"region": OTHER_REGION},
    ),
    Teller("system of the department", SYSTEM, "CLIENT", ("ADMINISTRATOR", "ADMINISTRATION"), office=True),
)


async def one_mandate_revoked(_since: float) -> WithdrawnParties:
    """What identity says where one mandate is revoked."""
    return WithdrawnParties({REVOKED: STANDS_NOT}, time.time())


@dataclass(frozen=True)
class Question:
    """One line of the table, asked.

    Attributes:
        rpc: the RPC, without `tongban.`.
        thing: which thing it names, as the table has it.
        request: makes the request anew for each caller, or its messages where it is a stream.
        shows: what an answer with the thing in it holds, where the RPC lists; empty elsewhere.
    """

    rpc: str
    thing: str
    request: Callable[[], Message | list[Message]]
    shows: str = ""

    @property
    def line(self) -> str:
        """By what the table has it."""
        return f"{self.rpc} {self.thing}"


@dataclass(frozen=True)
class Asking:
    """Asks a running service as each caller, all at once.

    Attributes:
        service: the service.
        department: the department that the things are of.
        elsewhere: another department.
    """

    service: Service
    department: str
    elsewhere: str

    @cached_property
    def _tokens(self) -> dict[str, str]:
        return {teller.name: self._token(teller) for teller in TELLERS}

    def _token(self, teller: Teller) -> str:
        # Each has a client of its own, so that no rate limit is met.
        claims = {"client_id": f"clients/{teller.name.replace(' ', '-')}", **teller.claims}
        if teller.office is not None:
            claims["dept"] = self.department if teller.office else self.elsewhere
        return self.service.issuer.token(teller.subject, teller.kind, teller.scope, **claims)

    async def letters(self, question: Question) -> str:
        """What all callers are answered, in the order of the columns."""
        return "".join(await asyncio.gather(*(self._letter(question, teller) for teller in TELLERS)))

    async def _letter(self, question: Question, teller: Teller) -> str:
        method = next(each for each in contracts.methods() if each.name == f"tongban.{question.rpc}")
        asked = question.request()
        messages = [each.SerializeToString() for each in (asked if isinstance(asked, list) else [asked])]
        metadata = (("authorization", f"Bearer {self._tokens[teller.name]}"),)
        try:
            answer = await self._sent(method, messages, metadata)
        except grpc.aio.AioRpcError as error:
            return _letter(from_rpc_error(error, self.service.process.service))
        return "Y" if question.shows.encode() in answer else NOT_THERE

    async def _sent(self, method: Method, messages: list[bytes], metadata: Any) -> bytes:
        channel: Any = self.service.channel
        if method.descriptor.client_streaming:
            return bytes(await channel.stream_unary(method.path)(iter(messages), metadata=metadata, timeout=PATIENCE))
        if method.descriptor.server_streaming:
            call = channel.unary_stream(method.path)(messages[0], metadata=metadata, timeout=PATIENCE)
            return b"".join([each async for each in call])
        return bytes(await channel.unary_unary(method.path)(messages[0], metadata=metadata, timeout=PATIENCE))


def _letter(error: TongbanError) -> str:
    return LETTERS.get(error.reason, f"[{error.reason}]")


def written(service: str) -> dict[str, str]:
    """The lines of a service: by RPC and thing what each caller is answered."""
    return {f"{rpc} {thing}": answers for rpc, thing, answers in _lines() if rpc.startswith(f"{service}.") and answers}


def of_nobody(service: str) -> set[str]:
    """The RPCs of a service of which the table says that they name nothing that is somebody's."""
    return {rpc for rpc, _, answers in _lines() if rpc.startswith(f"{service}.") and not answers}


def rpcs_of(service: str) -> set[str]:
    """All RPCs that a service declares, as the table names them."""
    return {method.name.removeprefix("tongban.") for method in contracts.methods_of_owner(service)}


def _lines() -> Iterator[tuple[str, str, str]]:
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            rpc, thing, *answers = line.split()
            yield rpc, thing, "" if thing == ":" else answers[0]


async def differences(asking: Asking, service: str, questions: list[Question]) -> list[str]:
    """Asks all questions; returns those whose answers are not the written ones, as they were seen."""
    table = written(service)
    assert [each.line for each in questions] == list(table)
    found = [(each.line, await asking.letters(each)) for each in questions]
    return [f"{line} {letters}" for line, letters in found if table[line] != letters]
