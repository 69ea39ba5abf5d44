"""Every RPC of every service refuses what is wrong with a request, and names it: docs/bad-input.md, on the real stack.

All that is sent by way of ``caller`` is refused, and changes nothing that the service keeps.
"""

from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest

from libs.errors import TongbanError
from libs.rpc import refusals
from libs.rpc.contract import Method
from libs.rpc.stages.purposes import purposes_in, states_purpose
from tests.support import contracts, unchanged
from tests.support.broken import BREAKABLE, Broken, broken
from tests.support.calls import Caller, all_of, kinds_of, said
from tests.support.requests import full, largest, minimal
from tests.support.unknown import with_unknown

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_broken_bytes_are_refused(caller: Caller) -> None:
    async def check(method: Method) -> str:
        error = await caller.error(method, b"\x0a\xff", caller.token(method, kinds_of(method)[0]))
        return "" if error is not None and error.reason == "FIELD_INVALID" else f"{method.name}: {said(error)}"

    assert await all_of(caller.methods(), check) == []


async def test_what_the_contract_lacks_is_named_wherever_it_stands(caller: Caller) -> None:
    """A field of a newer contract would be left out of what is done; also where other regions may call, by everybody else."""
    methods = [each for each in caller.methods() if each.for_fronts or not each.for_regions]
    cases = [(method, path, data) for method in methods for path, data in with_unknown(method)]

    async def check(item: tuple[Method, str, bytes]) -> str:
        method, path, data = item
        error = await caller.error(method, data, caller.token(method, kinds_of(method)[0]))
        return "" if _lacking(error) == {path} else f"{method.name} with {path}: {said(error)}"

    assert {method.name for method, _, _ in cases} == {method.name for method in methods}
    assert await all_of(cases, check) == []


async def test_what_the_contract_lacks_is_kept_where_another_region_says_it(serving_caller: Caller) -> None:
    methods = [each for each in serving_caller.methods() if each.for_regions]

    async def check(item: tuple[Method, bytes]) -> str:
        method, data = item
        error = await serving_caller.error(method, data, serving_caller.token(method, "REGION_SERVICE"))
        return f"{method.name}: {said(error)}" if _lacking(error) else ""

    assert await all_of([(each, data) for each in methods for _, data in with_unknown(each)], check) == []


def _lacking(error: TongbanError | None) -> set[str]:
    """The fields that are refused because the contract lacks them."""
    violations = error.violations if error is not None else ()
    return {each.field for each in violations if each.rule == "protobuf.unknown_field"}


async def test_every_broken_rule_names_its_field(caller: Caller) -> None:
    cases = [(method, case) for method in caller.methods() for case in broken(method)]

    async def check(item: tuple[Method, Broken]) -> str:
        method, case = item
        token = "" if method.access.public else caller.token(method, kinds_of(method)[0])
        error = await caller.error(method, case.request, token)
        place = f"{method.name}: {case.field or 'the message'} breaks {case.rule}"
        if error is None or (error.reason, error.code.name) != ("FIELD_INVALID", "INVALID_ARGUMENT"):
            return f"{place}: {said(error)}"
        named = {each.field for each in error.violations} == {case.field}
        return "" if named and case.rule in {each.rule for each in error.violations} else f"{place}: {error.violations}"

    assert cases
    assert await all_of(cases, check) == []


async def test_a_purpose_of_ones_own_is_refused_wherever_it_stands(caller: Caller) -> None:
    cases = [(method, path) for method in caller.methods() for path in _purposes(method)]

    async def check(item: tuple[Method, str]) -> str:
        method, path = item
        request = full(method.descriptor.input_type)
        *inside, code = path.split(".")
        setattr(reduce(getattr, inside, request), code, "OF_NOBODYS_TABLE")
        kind = next(each for each in kinds_of(method) if not each.startswith("REGION"))
        error = await caller.error(method, request, caller.token(method, kind))
        known = error is not None and (error.reason, error.metadata.get("field")) == ("PURPOSE_UNKNOWN", path)
        return "" if known else f"{method.name}, {path}: {said(error)}"

    assert await all_of(cases, check) == []


def _purposes(method: Method) -> Iterator[str]:
    """Where a request of an RPC names a purpose that is held to the table, and the RPC says that it refuses others."""
    if not states_purpose(method):
        return
    assert "PURPOSE_UNKNOWN" in refusals.refusals(method)
    for path in purposes_in(method.descriptor.input_type):
        yield ".".join(path if path[-1] == "purpose_code" else (*path, "purpose_code"))


async def test_what_fits_the_contract_never_shows_a_fault_of_ours(serving_caller: Caller) -> None:
    """A request that keeps every rule gets an answer or a reason that clients can prepare for, whoever asks."""
    cases = [
        (method, kind, make(method.descriptor.input_type))
        for method in serving_caller.methods()
        for kind in kinds_of(method)
        for make in (minimal, full, largest)
    ]

    async def check(item: tuple[Method, str, object]) -> str:
        method, kind, request = item
        error = await serving_caller.error(method, request, serving_caller.token(method, kind))  # type: ignore[arg-type]
        return f"{method.name} for {kind}: {said(error)}" if error is not None and error.reason == "INTERNAL" else ""

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


async def test_a_page_token_of_nobodys_is_refused_by_the_lists(serving_caller: Caller) -> None:
    """Whoever may ask; what a list looks at before its page (whose it is, where that is) may be refused before."""
    lists = [each for each in serving_caller.methods() if "page_token" in each.descriptor.input_type.fields_by_name]
    cases = [(method, kind) for method in lists for kind in kinds_of(method)]

    async def check(item: tuple[Method, str]) -> str:
        method, kind = item
        request: Any = minimal(method.descriptor.input_type)
        request.page_token = "AAAA"
        error = await serving_caller.error(method, request, serving_caller.token(method, kind))
        return f"{method.name} for {kind}: answered" if error is None else ""

    assert await all_of(cases, check) == []


async def test_whatever_is_changed_would_be_seen(serving_caller: Caller) -> None:
    """In what the tests above compare: rows, and how far sequences are."""
    service = serving_caller.service
    before = await unchanged.kept(service)
    (method,) = (each for each in serving_caller.methods() if each.descriptor.name == "CreateUpload")
    request: Any = minimal(method.descriptor.input_type)
    request.service, request.request_id = service.process.service, "00000000-0000-4000-8000-0000000000d1"
    assert await serving_caller.error(method, request, serving_caller.token(method, kinds_of(method)[0])) is None
    seen = unchanged.changed(before, await unchanged.kept(service))
    assert {"public.uploads", "public.audit_records", "public.audit_records_seq_seq", "public.idempotency"} <= set(seen)
