"""Thirty-one kinds of caller, as their tokens say it, and what a door answers them: for the matrix of every RPC against each of them.

What each may do is written down in `tests/conformance/matrix.txt`, one line an RPC and one letter a caller; the test takes nothing of it
from the contract.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from libs.access import roles
from libs.access.rights import HELD
from libs.errors import TongbanError
from libs.rpc.contract import Method
from libs.security.withdrawals import STANDS_NOT, WithdrawnParties
from tests.support.calls import OTHER_REGION, READING_REGION, Caller
from tests.support.kinds import CLAIMED, claims_of

TABLE = Path(__file__).parents[1] / "conformance" / "matrix.txt"
BROKEN = b"\x0a\xff"
"""No message at all: whoever gets that far was let in, and nothing is done."""
SUSPENDED = "clients/suspended"
_ID = "00000000-0000-7000-8000-0000000000"
_FIRM, _MANDATE = f"organizations/{_ID}f1", f"mandates/{_ID}f2"
_DAY = 24 * 3600

LETTERS = MappingProxyType(
    {
        "FIELD_INVALID": "Y",
        "REQUEST_TOO_LARGE": "Y",
        "TOKEN_MISSING": "n",
        "TOKEN_INVALID": "t",
        "ACTOR_NOT_ALLOWED": "k",
        "PERMISSION_MISSING": "-",
        "ASSURANCE_TOO_LOW": "a",
        "AUTHENTICATION_TOO_OLD": "o",
        "MANDATE_OUT_OF_SCOPE": "m",
        "REGION_NOT_TRUSTED": "r",
        "REGION_READS_ONLY": "g",
        "PEER_NOT_ALLOWED": "p",
    }
)
"""How each answer of a door is written; `Y` is let in."""


async def one_suspended(_since: float) -> WithdrawnParties:
    """What identity says where one client is suspended."""
    return WithdrawnParties({SUSPENDED: STANDS_NOT}, time.time())


@dataclass(frozen=True)
class Column:
    """A kind of caller.

    Attributes:
        name: as the table heads it.
        kind: the kind in the contracts' words; empty for one who brings no token.
        scope: what the token holds.
        claims: what else it says.
        peer: the process that the call comes from; empty for the gateway, or where it does not reach, the first that does.
    """

    name: str
    kind: str = ""
    scope: str = ""
    claims: Callable[[], dict[str, Any]] = dict
    peer: str = ""


def _held(*roles_: str) -> str:
    return " ".join(sorted(frozenset[str]().union(*(HELD[each] for each in roles_))))


def _person(name: str, kind: str = "PERSON", scope: str = "", **claims: Any) -> Column:
    return Column(
        name,
        kind,
        scope or _held("PERSON", "WINDOW") if kind == "ASSISTED" else scope or _held("PERSON"),
        lambda: claims,
    )


def _staff(duty: str) -> Column:
    return Column(duty.lower(), "STAFF", _held("STAFF", *([duty] if duty != "no duty" else [])))


_AGENT = {"org": _FIRM, "mandate": _MANDATE}
COLUMNS = (
    Column("nobody"),
    _person("person"),
    _person("person, level 1", acr="1"),
    Column("person, of yesterday", "PERSON", _held("PERSON"), lambda: {"auth_time": int(time.time()) - _DAY}),
    _person("representative", org=_FIRM),
    _person("agent, APPLY", **_AGENT, mandate_powers=["APPLY"]),
    _person("agent, COLLECT", **_AGENT, mandate_powers=["COLLECT"]),
    _person("person, narrowed", scope="identity.persons.get"),
    _person("at a window", "ASSISTED"),
    _person("agent at a window, PRESENT", "ASSISTED", **_AGENT, mandate_powers=["PRESENT"]),
    _staff("no duty"),
    _staff("RECEIVING"),
    _staff("REVIEWING"),
    _staff("DECIDING"),
    _staff("SEAL_CUSTODY"),
    _staff("DATA"),
    _staff("ADMINISTRATION"),
    _staff("SECURITY"),
    _staff("AUDITING"),
    Column("staff, level 2", "STAFF", _held("STAFF", "RECEIVING"), lambda: {"acr": "2"}),
    Column("first client", "CLIENT", " ".join(roles.ADMINISTRATOR)),
    Column("system, no right", "CLIENT", "x.y.z"),
    Column("all rights, suspended", "STAFF", "*", lambda: {"client_id": SUSPENDED.removeprefix("clients/")}),
    Column("all rights, expired", "STAFF", "*", lambda: {"now": time.time() - 1000}),
    Column("all rights, for another region", "STAFF", "*", lambda: {"aud": f"//{OTHER_REGION}"}),
    Column("service of cases", peer="cases"),
    Column("service of sharing", peer="sharing"),
    Column(
        "guest", "PERSON", _held("PERSON"), lambda: {"sub": f"//{OTHER_REGION}/persons/{_ID}a1", "region": OTHER_REGION}
    ),
    Column("other region", "REGION_SERVICE", _held("REGION"), lambda: {"region": OTHER_REGION}),
    Column("other region, not trusted", "REGION_SERVICE", _held("REGION"), lambda: {"region": "999999"}),
    Column(
        "guest of a region where only reads pass",
        "PERSON",
        _held("PERSON"),
        lambda: {"sub": f"//{READING_REGION}/persons/{_ID}a1", "region": READING_REGION},
    ),
)


async def letter(caller: Caller, method: Method, column: Column) -> str:
    """What a door answers a kind of caller."""
    token = ""
    if column.kind:
        told = claims_of(column.kind, OTHER_REGION)
        claims = {"client_id": method.descriptor.name, "acr": "3", **told, **column.claims()}
        if claims.get("region") == "999999":
            claims["sub"] = claims["sub"].replace(OTHER_REGION, "999999")
        token = caller.service.issuer.token(claims.pop("sub"), CLAIMED[column.kind], column.scope, **claims)
    peers = caller.peers_of(method)
    peer = column.peer or ("gateway" if "gateway" in peers else peers[0])
    error = await caller.error(method, BROKEN, token, peer)
    return _letter(error)


def _letter(error: TongbanError | None) -> str:
    return "Y" if error is None else LETTERS.get(error.reason, f"[{error.reason}]")


def written() -> dict[str, str]:
    """The table: by RPC what each caller is answered."""
    return dict(_lines())


def _lines() -> Iterator[tuple[str, str]]:
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, letters = line.split()
            yield name, letters
