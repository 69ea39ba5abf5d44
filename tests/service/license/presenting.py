"""How tests of the license service present licences and redeem them."""

import pytest

from libs.errors import TongbanError
from tests.service.license.conftest import FIRM, PERSON, License, context, request_id
from tests.support.fakes_license import ABROAD
from tongban.license.v1 import presentation_service_pb2 as pb

THEIR_CASE = f"//{ABROAD}/cases/00000000-0000-7000-8000-0000000000c7"
OUR_CASE = "cases/00000000-0000-7000-8000-0000000000c8"
CONSENT = "consents/00000000-0000-7000-8000-0000000000e1"
MANDATE = "mandates/00000000-0000-7000-8000-0000000000e2"


def agent(licensing: License, **claims: object) -> str:
    claims.setdefault("org", FIRM)
    return licensing.person(PERSON, **claims)


async def create(licensing: License, token: str, *names: str, **fields: object) -> pb.CreatePresentationResponse:
    values: dict[str, object] = {
        "licenses": [pb.PresentedLicense(license=each) for each in names],
        "verifier": f"//{ABROAD}",
        "item_code": "item-1",
        "use_context": context("跨省办事", case=THEIR_CASE),
        **fields,
    }
    around = {name: values.pop(name) for name in ("request_id", "validate_only") if name in values}
    request = pb.CreatePresentationRequest(
        presentation=pb.Presentation(**values),  # type: ignore[arg-type]
        **{"request_id": request_id(), **around},  # type: ignore[arg-type]
    )
    return await licensing.call(
        licensing.presentations.CreatePresentation, request, pb.CreatePresentationResponse, token
    )


async def redeem(licensing: License, token: str, **fields: object) -> pb.RedeemPresentationResponse:
    values = {"use_context": context(case=OUR_CASE), "request_id": request_id(), **fields}
    request = pb.RedeemPresentationRequest(**values)  # type: ignore[arg-type]
    return await licensing.call(
        licensing.presentations.RedeemPresentation, request, pb.RedeemPresentationResponse, token
    )


async def redeem_from(licensing: License, token: str, **fields: object) -> pb.RedeemPresentationResponse:
    """Redeems as another region does, for its own case."""
    return await redeem(licensing, token, **{"use_context": context(case=THEIR_CASE), **fields})


async def refused(call: object) -> tuple[str, str]:
    with pytest.raises(TongbanError) as caught:
        await call  # type: ignore[misc]
    return caught.value.reason, caught.value.metadata.get("rule", "")


async def violations(call: object) -> list[tuple[str, str]]:
    with pytest.raises(TongbanError) as caught:
        await call  # type: ignore[misc]
    return [(each.field, each.rule) for each in caught.value.violations]
