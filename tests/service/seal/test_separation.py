"""Nobody makes or ends the seal of their own firm in office."""

from typing import Any

import pytest

from libs.errors import InvalidArgument, PermissionDenied
from tests.support.handling import undriven
from tests.support.seal_office import OFFICER, SealOffice, fresh, order
from tongban.seal.v1 import resources_pb2
from tongban.seal.v1 import seal_service_pb2 as pb

FIRM = "organizations/00000000-0000-7000-8000-0000000000f1"


async def _make(office: SealOffice, token: str) -> None:
    await office.ask(office.seals.MakeSeal, order(owner=FIRM), resources_pb2.Seal, token)


async def _revoke(office: SealOffice, token: str) -> None:
    made = await office.make(order(owner=FIRM))
    request = pb.RevokeSealRequest(name=made.name, reason="停用", request_id=fresh())
    await office.ask(office.seals.RevokeSeal, request, resources_pb2.Seal, token)


DRIVES: dict[str, Any] = {"MakeSeal": _make, "RevokeSeal": _revoke}


def test_every_step_that_the_contract_says_is_driven() -> None:
    assert undriven("tongban.seal.v1", DRIVES) == set()


@pytest.mark.parametrize("verb", DRIVES)
async def test_nobody_handles_what_concerns_themselves(office: SealOffice, verb: str) -> None:
    with pytest.raises(PermissionDenied) as refused:
        await DRIVES[verb](office, office.token(OFFICER, near=[FIRM]))
    assert refused.value.reason == "ACTING_ON_SELF"


async def test_a_seal_bears_the_name_of_its_owner(office: SealOffice) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await office.make(order(arc_text="某县人民政府"))
    assert [(each.field, each.rule) for each in refused.value.violations] == [("owner", "identity.account")]
