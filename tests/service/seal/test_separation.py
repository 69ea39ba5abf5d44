"""Nobody makes or ends the seal of their own firm in office."""

from typing import Any

import pytest

from libs.errors import InvalidArgument, PermissionDenied
from tests.support.handling import undriven
from tests.support.seal_office import (
    LICENSE,
    NO_DEPARTMENT,
    OFFICER,
    SECOND_HAT,
    SealOffice,
    digest_request,
    document_request,
    fresh,
    order,
)
from tests.support.seals import ofd_document
from tests.support.tokens import DEPARTMENT, human_of
from tongban.seal.v1 import certificate_service_pb2 as certificates_pb
from tongban.seal.v1 import resources_pb2
from tongban.seal.v1 import seal_service_pb2 as pb
from tongban.seal.v1 import sealing_service_pb2 as sealings_pb

CLERK = "staff/01890000-0000-7000-8000-000000000004"
FIRM = "organizations/00000000-0000-7000-8000-0000000000f1"


async def _make(office: SealOffice, token: str) -> None:
    await office.ask(office.seals.CreateSeal, order(owner=FIRM), resources_pb2.Seal, token)


async def _revoke(office: SealOffice, token: str) -> None:
    made = await office.make(order(owner=FIRM))
    request = pb.RevokeSealRequest(name=made.name, reason="停用", request_id=fresh())
    await office.ask(office.seals.RevokeSeal, request, resources_pb2.Seal, token)


async def _revoke_certificate(office: SealOffice, token: str) -> None:
    made = await office.make(order(owner=FIRM))
    request = certificates_pb.RevokeCertificateRequest(
        name=made.certificate, reason=resources_pb2.REVOCATION_REASON_KEY_COMPROMISE, request_id=fresh()
    )
    await office.ask(office.certificates.RevokeCertificate, request, resources_pb2.Certificate, token)


DRIVES: dict[str, Any] = {"CreateSeal": _make, "RevokeSeal": _revoke, "RevokeCertificate": _revoke_certificate}


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
    assert [(each.field, each.rule) for each in refused.value.violations] == [("seal.owner", "identity.account")]


# ---- who keeps a seal does not use it ----


def user(subject: str) -> resources_pb2.SealUser:
    return resources_pb2.SealUser(subject=subject)


async def refused(call: Any) -> str:
    with pytest.raises(PermissionDenied) as caught:
        await call
    return caught.value.reason


@pytest.mark.parametrize("named", [OFFICER, SECOND_HAT])
async def test_who_has_a_seal_made_is_none_of_its_users_under_whatever_record(office: SealOffice, named: str) -> None:
    assert await refused(office.make(order(LICENSE, user(named)))) == "SEAL_DUTIES_NOT_SEPARATED"
    found = await office.ask(office.seals.ListSeals, pb.ListSealsRequest(), pb.ListSealsResponse)
    assert list(found.seals) == []


async def test_a_machine_is_no_user_of_what_it_had_made(office: SealOffice) -> None:
    machine = office.token("clients/town", "CLIENT")
    made = office.ask(office.seals.CreateSeal, order(user("clients/town")), resources_pb2.Seal, machine)
    assert await refused(made) == "SEAL_DUTIES_NOT_SEPARATED"
    assert (await office.ask(office.seals.CreateSeal, order(user(OFFICER)), resources_pb2.Seal, machine)).name


async def test_nor_as_one_of_a_department_that_may(office: SealOffice) -> None:
    seal = await office.make(order(user(DEPARTMENT)))
    for hat in (OFFICER, SECOND_HAT):
        token = office.token(hat, dept=DEPARTMENT, human=human_of(OFFICER, {}))
        assert await refused(_use(office, seal, token)) == "SEAL_DUTIES_NOT_SEPARATED"
        whole = document_request(seal, ofd_document())
        sealed = office.ask(office.sealings.SealDocument, whole, sealings_pb.SealDocumentResponse, token)
        assert await refused(sealed) == "SEAL_DUTIES_NOT_SEPARATED"
    await _use(office, seal, office.token(CLERK, dept=DEPARTMENT))


async def _use(office: SealOffice, seal: resources_pb2.Seal, token: str) -> None:
    request = digest_request(seal, [bytes(32)])
    await office.ask(office.sealings.SealDigests, request, sealings_pb.SealDigestsResponse, token)


async def test_a_user_is_somebody_whom_identity_knows(office: SealOffice) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await office.make(order(LICENSE, user(NO_DEPARTMENT)))
    assert [(each.field, each.rule) for each in caught.value.violations] == [
        ("seal.users[1].subject", "identity.known")
    ]
