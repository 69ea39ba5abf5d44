"""Who uses whose seal: what each caller is answered about a real one is what `matrix_of_things.txt` says."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest_asyncio
from google.protobuf.message import Message

from libs.security.withdrawals import Withdrawals
from tests.support.refusing import OLD, asked
from tests.support.seal_office import (
    HASHES,
    LICENSE,
    OWNER,
    SealOffice,
    digest_request,
    document_request,
    order,
    seal_office,
)
from tests.support.seals import ofd_document
from tests.support.service import Ground
from tests.support.things import (
    CLERK,
    CLIENT,
    Asking,
    Question,
    differences,
    of_nobody,
    one_mandate_revoked,
    rpcs_of,
    written,
)
from tongban.seal.v1 import certificate_service_pb2 as certificates
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import seal_service_pb2 as seals
from tongban.seal.v1 import sealing_service_pb2 as sealings

ELSEWHERE = "departments/01890000-0000-7000-8000-0000000000d2"


@dataclass
class Furnished:
    """The service with a seal of the department in it, and a use of it."""

    office: SealOffice
    seal: resources.Seal
    sealing: str


@pytest_asyncio.fixture
async def furnished(ground: Ground) -> AsyncIterator[Furnished]:
    """A seal that the clerk with the duty, one client and the licence service may use."""
    async with seal_office(ground, Withdrawals(one_mandate_revoked)) as office:
        users = [resources.SealUser(subject=each) for each in (CLERK, CLIENT)]
        seal = await office.make(order(LICENSE, *users))
        sealed = await office.seal_digests(digest_request(seal, HASHES[:1]))
        yield Furnished(office, seal, sealed.signatures[0].sealing)


def _made(there: Furnished) -> dict[str, Callable[[], Message]]:
    seal = there.seal
    return {
        "CertificateService.RevokeCertificate": lambda: asked("RevokeCertificate", seal.certificate, OLD),
        "CertificateService.GetCertificate": lambda: certificates.GetCertificateRequest(name=seal.certificate),
        "SealService.RevokeSeal": lambda: asked("RevokeSeal", seal.name, OLD),
        "SealService.GetSeal": lambda: seals.GetSealRequest(name=seal.name),
        "SealService.ListSeals": lambda: seals.ListSealsRequest(page_size=1000),
        "SealService.GetSealPicture": lambda: seals.GetSealPictureRequest(name=seal.name),
        "SealingService.SealDocument": lambda: document_request(seal, ofd_document()),
        "SealingService.SealDigests": lambda: digest_request(seal, HASHES[1:2]),
        "SealingService.GetSealing": lambda: sealings.GetSealingRequest(name=there.sealing),
        "SealingService.ListSealings": lambda: sealings.ListSealingsRequest(page_size=1000),
    }


def _questions(there: Furnished) -> list[Question]:
    make = _made(there)
    lists = {"seal.v1.SealService.ListSeals": there.seal.name, "seal.v1.SealingService.ListSealings": there.sealing}
    asked_about = [line.split() for line in written("seal")]
    return [Question(rpc, thing, make[rpc.removeprefix("seal.v1.")], lists.get(rpc, "")) for rpc, thing in asked_about]


async def test_each_caller_is_answered_about_a_real_thing_as_it_is_written_down(furnished: Furnished) -> None:
    asking = Asking(furnished.office.service, OWNER, ELSEWHERE)
    assert await differences(asking, "seal", _questions(furnished)) == []


def test_the_table_has_every_rpc() -> None:
    asked_about = {line.split()[0] for line in written("seal")}
    assert asked_about | of_nobody("seal") == rpcs_of("seal")
    assert asked_about.isdisjoint(of_nobody("seal"))
