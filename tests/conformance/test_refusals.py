"""Every RPC of every service refuses whom its contract says it refuses: on the real stack, one service after another."""

import time

import pytest

from libs.rpc.contract import Method
from tests.support import contracts
from tests.support.calls import OTHER_REGION, Caller, all_of, kinds_of, said
from tests.support.kinds import KINDS
from tongban.options.v1 import options_pb2

_FIRM = "organizations/00000000-0000-7000-8000-0000000000f1"
_MANDATE = "mandates/00000000-0000-7000-8000-0000000000f2"

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_no_token_no_entry(caller: Caller) -> None:
    """A service of ours needs none: its certificate says who it is. So only what the gateway reaches is asked here."""

    async def check(method: Method) -> str:
        if "gateway" not in caller.peers_of(method):
            return ""
        error = await caller.error(method, b"", peer="gateway")
        stopped = error is not None and error.reason == "TOKEN_MISSING"
        return "" if stopped != method.access.public else f"{method.name}: {said(error)}"

    assert await all_of(caller.methods(), check) == []


async def test_strange_peers_are_refused(caller: Caller) -> None:
    async def check(method: Method) -> str:
        strangers = {*contracts.OWNERS, "gateway"} - set(caller.peers_of(method))
        errors = [await caller.error(method, b"", caller.token(method, "STAFF"), peer) for peer in sorted(strangers)]
        wrong = [said(error) for error in errors if error is None or error.reason != "PEER_NOT_ALLOWED"]
        return f"{method.name}: {wrong}" if wrong else ""

    assert await all_of(caller.methods(), check) == []


async def test_a_token_without_the_permission_is_refused(caller: Caller) -> None:
    async def check(method: Method) -> str:
        if method.access.public:
            return ""
        service, resources, _ = method.access.permission.split(".")
        scope = f"{service}.{resources}.x {service}.x.* x.*"
        error = await caller.error(method, b"", caller.token(method, kinds_of(method)[0], scope))
        found = (error.reason, error.metadata) if error else ("", {})
        wanted = ("PERMISSION_MISSING", {"permission": method.access.permission})
        return "" if found == wanted else f"{method.name}: {said(error)}"

    assert await all_of(caller.methods(), check) == []


async def test_other_kinds_of_caller_are_refused(caller: Caller) -> None:
    async def check(method: Method) -> str:
        if method.access.public:
            return ""
        wrong = []
        for kind in set(KINDS) - set(kinds_of(method)):
            error = await caller.error(method, b"", caller.token(method, kind))
            if error is None or (error.reason, error.metadata) != ("ACTOR_NOT_ALLOWED", {"actor_kind": kind}):
                wrong.append(f"{kind}: {said(error)}")
        return f"{method.name}: {wrong}" if wrong else ""

    assert await all_of(caller.methods(), check) == []


async def test_people_known_too_little_are_refused(caller: Caller) -> None:
    async def check(method: Method) -> str:
        kinds = {"PERSON", "ASSISTED", "STAFF"} & set(kinds_of(method))
        if method.access.public or not method.access.min_assurance or not kinds:
            return ""
        low = str(method.access.min_assurance - 1)
        error = await caller.error(method, b"", caller.token(method, kinds.pop(), acr=low))
        return "" if error is not None and error.reason == "ASSURANCE_TOO_LOW" else f"{method.name}: {said(error)}"

    assert await all_of(caller.methods(), check) == []


async def test_agents_whose_mandate_lacks_the_power_are_refused(caller: Caller) -> None:
    """Whatever else it lets them: what the contract asks for is read from the token, before anything is."""
    others = {"APPLY", "PRESENT", "COLLECT"}

    async def check(method: Method) -> str:
        if not method.access.power:
            return ""
        power = options_pb2.MandatePower.Name(method.access.power).removeprefix("MANDATE_POWER_")
        wrong = []
        for kind, powers in ((kind, powers) for kind in ("PERSON", "ASSISTED") for powers in (set(), others - {power})):
            token = caller.token(method, kind, org=_FIRM, mandate=_MANDATE, mandate_powers=sorted(powers))
            error = await caller.error(method, b"", token)
            if error is None or (error.reason, error.metadata) != ("MANDATE_OUT_OF_SCOPE", {"mandate": _MANDATE}):
                wrong.append(f"{kind} with {powers}: {said(error)}")
        return f"{method.name}: {wrong}" if wrong else ""

    assert await all_of(caller.methods(), check) == []


async def test_who_signed_in_too_long_ago_signs_in_again(caller: Caller) -> None:
    """A token that does not tell when is as one that tells of long ago; one of just now gets to the next stage."""

    async def check(method: Method) -> str:
        most = method.access.max_auth_age_seconds
        if not most:
            return ""
        now, wrong = int(time.time()), []
        for kind in {"PERSON", "ASSISTED", "STAFF"} & set(kinds_of(method)):
            for signed_in in (None, 0, now - most - 90, now):
                error = await caller.error(method, b"\x0a\xff", caller.token(method, kind, auth_time=signed_in))
                wanted = "FIELD_INVALID" if signed_in == now else "AUTHENTICATION_TOO_OLD"
                if error is None or error.reason != wanted:
                    wrong.append(f"{kind} of {signed_in}: {said(error)}")
        return f"{method.name}: {wrong}" if wrong else ""

    assert await all_of(caller.methods(), check) == []


async def test_tokens_of_others_are_refused(caller: Caller) -> None:
    async def check(method: Method) -> str:
        foreign = caller.token(method, kinds_of(method)[0], aud="//320402")
        error = await caller.error(method, b"", foreign)
        wrong = error is None or (error.reason, error.metadata) != ("TOKEN_INVALID", {"rule": "aud"})
        return f"{method.name}: {said(error)}" if wrong else ""

    assert await all_of(caller.methods(), check) == []


async def test_a_caller_who_is_nobody_is_refused_everywhere(caller: Caller) -> None:
    """Whatever kind and rights the token names: without a subject of known shape there is nobody to give anything to."""
    nobodies = [
        {"sub": "nobody"},
        {"sub": "persons/"},
        {"sub": f"//{OTHER_REGION}/nobody", "region": OTHER_REGION},
        {"org": "nobody"},
        {"sub": "persons/00000000-0000-7000-8000-0000000000a1", "region": OTHER_REGION},
    ]

    async def check(method: Method) -> str:
        if method.access.public:
            return ""
        for place, kind in enumerate(kinds_of(method), start=len(method.name)):
            claims = nobodies[place % len(nobodies)]
            error = await caller.error(method, b"", caller.token(method, kind, **claims))
            if error is None or (error.reason, error.metadata.get("rule")) != ("TOKEN_INVALID", "sub"):
                return f"{method.name} {kind} {claims}: {said(error)}"
        return ""

    assert await all_of(caller.methods(), check) == []


async def test_regions_that_are_not_trusted_any_more_are_refused(caller: Caller) -> None:
    """Also under a token that was given out while they were."""

    async def check(method: Method) -> str:
        if method.access.public or "REGION_SERVICE" not in kinds_of(method):
            return ""
        error = await caller.error(method, b"", caller.token(method, "REGION_SERVICE", region="999999"))
        known = error is not None and (error.reason, error.metadata) == ("REGION_NOT_TRUSTED", {"region": "999999"})
        return "" if known else f"{method.name}: {said(error)}"

    assert await all_of(caller.methods(), check) == []
