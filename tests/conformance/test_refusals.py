"""Every RPC of every service refuses what its contract says it refuses: on the real stack, one service after another."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import reduce
from typing import Any

import grpc
import pytest
import pytest_asyncio

from libs.errors import PermissionDenied, TongbanError
from libs.process import Process
from libs.rpc import refusals, status
from libs.rpc.contract import Method
from libs.rpc.stages.purposes import purposes_in, states_purpose
from services.identity.core.regions import regions
from tests.support import contracts, sql
from tests.support.broken import BREAKABLE, Broken, broken
from tests.support.calls import OTHER_REGION, Caller, all_of, kinds_of
from tests.support.kinds import KINDS
from tests.support.requests import full, largest, minimal
from tests.support.service import Ground, serving
from tests.support.unknown import with_unknown
from tongban.identity.v1.region_service_pb2 import ResolveRegionRequest
from tongban.identity.v1.resources_pb2 import Region
from tongban.options.v1 import options_pb2

_OPEN = {"state": "OPEN", "max_assurance": 4, "min_assurance": 0, "actor_kinds": []}
_FIRM = "organizations/00000000-0000-7000-8000-0000000000f1"
_MANDATE = "mandates/00000000-0000-7000-8000-0000000000f2"

pytestmark = pytest.mark.asyncio(loop_scope="module")


class _Trust(grpc.GenericRpcHandler):
    """An identity service that knows whom the region trusts, and of which nothing else can be had."""

    def service(self, handler_call_details: Any) -> Any:
        resolves = handler_call_details.method.endswith("/ResolveRegion")
        return grpc.unary_unary_rpc_method_handler(self._resolve if resolves else self._away)

    async def _resolve(self, data: bytes, context: Any) -> bytes:
        name = ResolveRegionRequest.FromString(data).name
        if name != f"regions/{OTHER_REGION}":
            error = PermissionDenied("REGION_NOT_TRUSTED", "suspended", region=name.removeprefix("regions/"))
            details = ((status.DETAILS_KEY, status.to_status(error).SerializeToString()),)
            await context.abort(status.grpc_code(error), error.message, details)
        return Region(name=name).SerializeToString()

    async def _away(self, data: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        raise AssertionError


@asynccontextmanager
async def _identity() -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Trust(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=contracts.OWNERS)
async def caller(request: pytest.FixtureRequest, ground: Ground) -> AsyncIterator[Caller]:
    """Each of the five services in turn; its neighbours are away, but for the question whom the region trusts."""
    neighbours = {name: "127.0.0.1:1" for name in contracts.OWNERS if name != request.param}
    async with _identity() as identity:

        def prepare(process: Process) -> None:
            process._channels["identity"] = identity

        async with serving(ground, request.param, prepare=prepare, neighbours=neighbours) as service:
            if request.param == "identity":
                await _trusts(service.process)
            found = Caller(service)
            yield found
            await found.close()


async def _trusts(process: Process) -> None:
    """Puts the other region on identity's own list, as trusted; what is pinned for it is not asked for here."""
    now = process.clock.now()
    row = {
        "id": OTHER_REGION,
        "display_name": "某地",
        "gateway_url": "https://other.test",
        "issuer": "https://other.test",
        "jwks": [],
        "root_certificate": b"",
        "tls_authorities": b"",
        "state": "ACTIVE",
        **{f"{way}_{name}": value for way in ("inbound", "outbound") for name, value in _OPEN.items()},
        "state_reason": "",
        "codes": [],
        "activate_time": now,
        "state_time": now,
        "create_time": now,
        "update_time": now,
    }
    async with process.database.transaction() as connection:
        await sql.execute(connection, regions.insert(), row)


def _methods(caller: Caller) -> list[Method]:
    return [*contracts.methods_of_owner(caller.service.process.service), *contracts.methods_of_shared()]


def _said(error: TongbanError | None) -> str:
    return str(error) if error else "let through"


async def test_no_token_no_entry(caller: Caller) -> None:
    """A service of ours needs none: its certificate says who it is. So only what the gateway reaches is asked here."""

    async def check(method: Method) -> str:
        if "gateway" not in caller.peers_of(method):
            return ""
        error = await caller.error(method, b"", peer="gateway")
        stopped = error is not None and error.reason == "TOKEN_MISSING"
        return "" if stopped != method.access.public else f"{method.name}: {_said(error)}"

    assert await all_of(_methods(caller), check) == []


async def test_strange_peers_are_refused(caller: Caller) -> None:
    async def check(method: Method) -> str:
        strangers = {*contracts.OWNERS, "gateway"} - set(caller.peers_of(method))
        errors = [await caller.error(method, b"", caller.token(method, "STAFF"), peer) for peer in sorted(strangers)]
        wrong = [_said(error) for error in errors if error is None or error.reason != "PEER_NOT_ALLOWED"]
        return f"{method.name}: {wrong}" if wrong else ""

    assert await all_of(_methods(caller), check) == []


async def test_a_token_without_the_permission_is_refused(caller: Caller) -> None:
    async def check(method: Method) -> str:
        if method.access.public:
            return ""
        service, resources, _ = method.access.permission.split(".")
        scope = f"{service}.{resources}.x {service}.x.* x.*"
        error = await caller.error(method, b"", caller.token(method, kinds_of(method)[0], scope))
        found = (error.reason, error.metadata) if error else ("", {})
        wanted = ("PERMISSION_MISSING", {"permission": method.access.permission})
        return "" if found == wanted else f"{method.name}: {_said(error)}"

    assert await all_of(_methods(caller), check) == []


async def test_other_kinds_of_caller_are_refused(caller: Caller) -> None:
    async def check(method: Method) -> str:
        if method.access.public:
            return ""
        wrong = []
        for kind in set(KINDS) - set(kinds_of(method)):
            error = await caller.error(method, b"", caller.token(method, kind))
            if error is None or (error.reason, error.metadata) != ("ACTOR_NOT_ALLOWED", {"actor_kind": kind}):
                wrong.append(f"{kind}: {_said(error)}")
        return f"{method.name}: {wrong}" if wrong else ""

    assert await all_of(_methods(caller), check) == []


async def test_people_known_too_little_are_refused(caller: Caller) -> None:
    async def check(method: Method) -> str:
        kinds = {"PERSON", "ASSISTED", "STAFF"} & set(kinds_of(method))
        if method.access.public or not method.access.min_assurance or not kinds:
            return ""
        low = str(method.access.min_assurance - 1)
        error = await caller.error(method, b"", caller.token(method, kinds.pop(), acr=low))
        return "" if error is not None and error.reason == "ASSURANCE_TOO_LOW" else f"{method.name}: {_said(error)}"

    assert await all_of(_methods(caller), check) == []


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
                wrong.append(f"{kind} with {powers}: {_said(error)}")
        return f"{method.name}: {wrong}" if wrong else ""

    assert await all_of(_methods(caller), check) == []


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
                    wrong.append(f"{kind} of {signed_in}: {_said(error)}")
        return f"{method.name}: {wrong}" if wrong else ""

    assert await all_of(_methods(caller), check) == []


async def test_tokens_of_others_are_refused(caller: Caller) -> None:
    async def check(method: Method) -> str:
        foreign = caller.token(method, kinds_of(method)[0], aud="//320402")
        error = await caller.error(method, b"", foreign)
        wrong = error is None or (error.reason, error.metadata) != ("TOKEN_INVALID", {"rule": "aud"})
        return f"{method.name}: {_said(error)}" if wrong else ""

    assert await all_of(_methods(caller), check) == []


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
                return f"{method.name} {kind} {claims}: {_said(error)}"
        return ""

    assert await all_of(_methods(caller), check) == []


async def test_regions_that_are_not_trusted_any_more_are_refused(caller: Caller) -> None:
    """Also under a token that was given out while they were."""

    async def check(method: Method) -> str:
        if method.access.public or "REGION_SERVICE" not in kinds_of(method):
            return ""
        error = await caller.error(method, b"", caller.token(method, "REGION_SERVICE", region="999999"))
        known = error is not None and (error.reason, error.metadata) == ("REGION_NOT_TRUSTED", {"region": "999999"})
        return "" if known else f"{method.name}: {_said(error)}"

    assert await all_of(_methods(caller), check) == []


async def test_broken_bytes_are_refused(caller: Caller) -> None:
    async def check(method: Method) -> str:
        error = await caller.error(method, b"\x0a\xff", caller.token(method, kinds_of(method)[0]))
        return "" if error is not None and error.reason == "FIELD_INVALID" else f"{method.name}: {_said(error)}"

    assert await all_of(_methods(caller), check) == []


async def test_what_the_contract_lacks_is_named_wherever_it_stands(caller: Caller) -> None:
    """A field of a newer contract would be left out of what is done; only another region's requests keep it."""
    cases = [(method, path, data) for method in _methods(caller) for path, data in with_unknown(method)]

    async def check(item: tuple[Method, str, bytes]) -> str:
        method, path, data = item
        error = await caller.error(method, data, caller.token(method, kinds_of(method)[0]))
        found = {each.field for each in error.violations if each.rule == "protobuf.unknown_field"} if error else set()
        expected = set() if method.keeps_unknown else {path}
        return "" if found == expected else f"{method.name} with {path}: {_said(error)}"

    assert {method.name for method, _, _ in cases} == {method.name for method in _methods(caller)}
    assert await all_of(cases, check) == []


async def test_every_broken_rule_names_its_field(caller: Caller) -> None:
    cases = [(method, case) for method in _methods(caller) for case in broken(method)]

    async def check(item: tuple[Method, Broken]) -> str:
        method, case = item
        token = "" if method.access.public else caller.token(method, kinds_of(method)[0])
        error = await caller.error(method, case.request, token)
        place = f"{method.name}: {case.field or 'the message'} breaks {case.rule}"
        if error is None or (error.reason, error.code.name) != ("FIELD_INVALID", "INVALID_ARGUMENT"):
            return f"{place}: {_said(error)}"
        named = {each.field for each in error.violations} == {case.field}
        return "" if named and case.rule in {each.rule for each in error.violations} else f"{place}: {error.violations}"

    assert cases
    assert await all_of(cases, check) == []


async def test_a_purpose_of_ones_own_is_refused_wherever_it_stands(caller: Caller) -> None:
    cases = [(method, path) for method in _methods(caller) for path in _purposes(method)]

    async def check(item: tuple[Method, str]) -> str:
        method, path = item
        request = full(method.descriptor.input_type)
        *inside, code = path.split(".")
        setattr(reduce(getattr, inside, request), code, "OF_NOBODYS_TABLE")
        kind = next(each for each in kinds_of(method) if not each.startswith("REGION"))
        error = await caller.error(method, request, caller.token(method, kind))
        known = error is not None and (error.reason, error.metadata.get("field")) == ("PURPOSE_UNKNOWN", path)
        return "" if known else f"{method.name}, {path}: {_said(error)}"

    assert await all_of(cases, check) == []


def _purposes(method: Method) -> Iterator[str]:
    """Where a request of an RPC names a purpose that is held to the table, and the RPC says that it refuses others."""
    if not states_purpose(method):
        return
    assert "PURPOSE_UNKNOWN" in refusals.refusals(method)
    for path in purposes_in(method.descriptor.input_type):
        yield ".".join(path if path[-1] == "purpose_code" else (*path, "purpose_code"))


async def test_what_fits_the_contract_never_shows_a_fault_of_ours(caller: Caller) -> None:
    """A request that keeps every rule gets an answer or a reason that clients can prepare for, whoever asks."""
    cases = [
        (method, kind, make(method.descriptor.input_type))
        for method in _methods(caller)
        for kind in kinds_of(method)
        for make in (minimal, full, largest)
    ]

    async def check(item: tuple[Method, str, object]) -> str:
        method, kind, request = item
        error = await caller.error(method, request, caller.token(method, kind))  # type: ignore[arg-type]
        return f"{method.name} for {kind}: {_said(error)}" if error is not None and error.reason == "INTERNAL" else ""

    assert await all_of(cases, check) == []


async def test_every_kind_of_rule_is_tried() -> None:
    """A rule of a kind that ``tests.support.broken`` can't break would go untested unseen."""
    used = set()
    for field in contracts.request_fields():
        rules = contracts.rules_of(field)
        kind = rules.WhichOneof("type")
        used |= {each.name for each, _ in rules.ListFields() if each.name != kind}
        inner = [getattr(rules, kind)] if kind else []
        for holder in inner:
            used |= {each.name for each, _ in holder.ListFields()}
            if kind == "repeated":
                inner.append(getattr(holder.items, holder.items.WhichOneof("type") or "string"))
            if kind == "map":
                inner += [holder.keys.string, holder.values.string]
            kind = None
    assert used <= BREAKABLE


async def test_a_page_token_of_nobodys_is_refused_by_the_lists(caller: Caller) -> None:
    """Whoever may ask; what a list looks at before its page (whose it is, where that is) may be refused before."""
    lists = [each for each in _methods(caller) if "page_token" in each.descriptor.input_type.fields_by_name]
    cases = [(method, kind) for method in lists for kind in kinds_of(method)]

    async def check(item: tuple[Method, str]) -> str:
        method, kind = item
        request: Any = minimal(method.descriptor.input_type)
        request.page_token = "AAAA"
        error = await caller.error(method, request, caller.token(method, kind))
        return f"{method.name} for {kind}: answered" if error is None else ""

    assert await all_of(cases, check) == []
