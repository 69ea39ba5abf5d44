"""Nobody issues, revokes or presents a licence of their own in office."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from libs.errors import InvalidArgument, PermissionDenied
from tests.service.license.conftest import (
    FIRM,
    STAFF,
    License,
    context,
    firm_holder,
    person_holder,
    request_id,
)
from tests.support.fakes_license import DEPARTMENT
from tests.support.handling import undriven
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import presentation_service_pb2, resources_pb2

Drive = Callable[[License, str], Awaitable[Any]]
"""Takes a step in the affair of FIRM with a token."""


async def _issue(licensing: License, token: str) -> None:
    kind = await licensing.license_type()
    order = licensing.order(kind.name, holders=[person_holder(), firm_holder()])
    await licensing.call(licensing.licenses.IssueLicense, order, resources_pb2.License, token)


async def _revoke(licensing: License, token: str) -> None:
    name = (await licensing.issued()).name
    request = pb.RevokeLicenseRequest(name=name, reason="虚假", legal_basis="罚1号", request_id=request_id())
    await licensing.call(licensing.licenses.RevokeLicense, request, resources_pb2.License, token)


async def _present(licensing: License, token: str) -> None:
    wanted = presentation_service_pb2.Presentation(
        licenses=[presentation_service_pb2.PresentedLicense(license=(await licensing.issued()).name)],
        holder=FIRM,
        verifier="//320402",
        use_context=context(),
        item_code="item-1",
        consent="consents/00000000-0000-7000-8000-0000000000e1",
    )
    request = presentation_service_pb2.CreatePresentationRequest(presentation=wanted, request_id=request_id())
    answer = presentation_service_pb2.CreatePresentationResponse
    await licensing.call(licensing.presentations.CreatePresentation, request, answer, token)


DRIVES: dict[str, Drive] = {"IssueLicense": _issue, "RevokeLicense": _revoke, "CreatePresentation": _present}


def test_every_step_that_the_contract_says_is_driven() -> None:
    assert undriven("tongban.license.v1", DRIVES) == set()


@pytest.mark.parametrize("verb", DRIVES)
async def test_nobody_handles_what_concerns_themselves(licensing: License, verb: str) -> None:
    token = licensing.token(STAFF, "STAFF", dept=DEPARTMENT, near=[FIRM])
    with pytest.raises(PermissionDenied) as refused:
        await DRIVES[verb](licensing, token)
    assert refused.value.reason == "ACTING_ON_SELF"


async def test_a_licence_bears_the_name_of_the_account_that_holds_it(licensing: License) -> None:
    licensing.known.accounts[FIRM] = "另一家有限公司"
    kind = await licensing.license_type()
    with pytest.raises(InvalidArgument) as refused:
        await licensing.issue(licensing.order(kind.name))
    assert [(each.field, each.rule) for each in refused.value.violations] == [("holders[0]", "identity.account")]
    licensing.known.accounts[FIRM] = firm_holder().display_name
    assert (await licensing.issue(licensing.order(kind.name))).holders[0].subject == FIRM
