"""Presentations that are not made or redeemed: what identity, another region or the log stands against."""

from typing import Any

import pytest

from libs.errors import TongbanError
from tests.service.license.conftest import FIRM, OTHER_DEPARTMENT, PERSON, License, context, request_id
from tests.service.license.presenting import CONSENT, MANDATE, OUR_CASE, agent, create, redeem, refused
from tests.support.backends import HOST
from tests.support.fakes_license import ABROAD
from tests.support.silence import silenced
from tongban.errors.v1 import error_reason_pb2

NEVER = "presentations/00000000-0000-7000-8000-00000000dead"


def reason(name: str) -> error_reason_pb2.ErrorReason.ValueType:
    return error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{name}")


@pytest.mark.parametrize("said", ["CONSENT_NOT_ACTIVE", "CONSENT_OUT_OF_SCOPE", "RESOURCE_NOT_FOUND"])
async def test_a_consent_that_does_not_hold_presents_nothing(licensing: License, said: str) -> None:
    made = await licensing.issued()
    licensing.known.consent_refusal = reason(said)
    with pytest.raises(TongbanError) as caught:
        await create(licensing, licensing.staff(), made.name, holder=FIRM, consent=CONSENT)
    assert (caught.value.reason, CONSENT in caught.value.metadata.values()) == (said, True)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("MANDATE_NOT_ACTIVE", {"mandate": MANDATE}),
        ("MANDATE_OUT_OF_SCOPE", {"mandate": MANDATE}),
        ("PERSON_NOT_ACTIVE", {"person": PERSON}),
        ("ORGANIZATION_NOT_ACTIVE", {"organization": FIRM}),
    ],
)
async def test_who_acts_under_a_mandate_that_has_ended_presents_nothing(
    licensing: License, said: str, named: dict[str, str]
) -> None:
    """Also where agent or firm has ended since the token was made."""
    made = await licensing.issued()
    licensing.known.mandate_refusal = reason(said)
    with pytest.raises(TongbanError) as caught:
        await create(licensing, agent(licensing, mandate=MANDATE), made.name)
    told = {key: value for key, value in caught.value.metadata.items() if key != "state"}
    assert (caught.value.reason, told) == (said, named)


async def test_a_presentation_that_was_never_made_is_not_found(licensing: License) -> None:
    await licensing.works_on(OUR_CASE, OTHER_DEPARTMENT)
    with pytest.raises(TongbanError) as caught:
        await redeem(licensing, licensing.staff(OTHER_DEPARTMENT), name=NEVER)
    assert (caught.value.reason, caught.value.metadata) == ("RESOURCE_NOT_FOUND", {"resource": NEVER})


async def test_a_presentation_of_a_region_that_is_away_is_redeemed_later(licensing: License) -> None:
    clerk, same = licensing.staff(OTHER_DEPARTMENT), request_id()
    asked: dict[str, Any] = {"code": f"{ABROAD}-{'A' * 26}", "request_id": same}
    licensing.known.gateways[ABROAD] = f"http://{HOST}:1"
    with pytest.raises(TongbanError) as caught:
        await redeem(licensing, clerk, **asked)
    assert (caught.value.reason, caught.value.metadata) == ("DEPENDENCY_UNAVAILABLE", {"dependency": f"//{ABROAD}"})


async def test_nothing_is_redeemed_that_can_not_be_recorded(licensing: License) -> None:
    """Neither abroad, where nothing is asked then, nor here; what was bound to its redeemer is handed over to them by a repeat."""
    made, clerk, same = await licensing.issued(), licensing.staff(OTHER_DEPARTMENT), request_id()
    here = {"verifier": f"//341500/{OTHER_DEPARTMENT}", "use_context": context(case=OUR_CASE)}
    name = (await create(licensing, agent(licensing), made.name, **here)).presentation.name
    async with silenced(licensing.service, "license", "license_uses"):
        assert (await refused(redeem(licensing, clerk, name=name, request_id=same)))[0] == "AUDIT_UNAVAILABLE"
    async with silenced(licensing.service, "license"):
        assert (await refused(redeem(licensing, clerk, code=f"{ABROAD}-{'A' * 26}")))[0] == "AUDIT_UNAVAILABLE"
    assert licensing.known.asked == []
    assert [each.license.name for each in (await redeem(licensing, clerk, name=name, request_id=same)).licenses] == [
        made.name
    ]
