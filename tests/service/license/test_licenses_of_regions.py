"""A person's licences in several regions are one list: who can't be asked is named, the others' licences come, pages go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from libs.errors import TongbanError, Unavailable, invalid_field
from libs.lists import regional
from tests.service.license.conftest import PERSON, License, context, person_holder
from tests.support import sql
from tests.support.backends import HOST
from tests.support.fakes_license import ABROAD, DEPARTMENT, DEPARTMENT_CODE, DEPARTMENT_NAME
from tests.support.impatience import Hanging, Impatience
from tongban.common.v1 import common_pb2, party_pb2
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources

THIRD = "110000"


def there(number: int) -> str:
    return f"licenses/00000000-0000-7000-8000-{number:012d}"


def answer(*names: str, token: str = "", subject: str = f"//341500/{PERSON}") -> pb.ListLicensesResponse:
    document = common_pb2.IdentityDocument(type_code="111", number="341502199001011234")
    holder = party_pb2.Party(subject=subject, document=document)
    licenses = [resources.License(name=each, holders=[holder]) for each in names]
    return pb.ListLicensesResponse(licenses=licenses, next_page_token=token)


async def listed(licensing: License, token: str = "", **asked: Any) -> pb.ListLicensesResponse:
    request = pb.ListLicensesRequest(use_context=context(), **asked)
    method = licensing.licenses.ListLicenses
    return await licensing.call(method, request, pb.ListLicensesResponse, token or licensing.person())


async def held(licensing: License, count: int) -> list[str]:
    """Issues licences to the person; returns their names, the newest first."""
    kind = await licensing.license_type()
    made = [await licensing.issue(licensing.order(kind.name, case="", holders=[person_holder()])) for _ in range(count)]
    return [each.name for each in reversed(made)]


def names(page: pb.ListLicensesResponse) -> list[str]:
    return [each.name for each in page.licenses]


@asynccontextmanager
async def speaking(said: bytes, impatience: Impatience) -> AsyncIterator[str]:
    """A server that is no gateway, and is not waited for once it was asked; returns where it is."""
    asked = asyncio.Event()

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not asked.is_set():
            impatience.end(after=0.2)
        asked.set()
        writer.write(said)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, HOST, 0)
    async with server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"


async def test_pages_go_from_region_to_region_in_the_persons_own_name(licensing: License) -> None:
    home = await held(licensing, 3)
    licensing.known.lists_abroad = [answer(there(1)), answer(there(2), token="next"), answer(there(3))]
    asked: dict[str, Any] = {"page_size": 2, "regions": [ABROAD], "filter": "state = LICENSE_STATE_ISSUED"}
    first = await listed(licensing, **asked)
    second = await listed(licensing, **asked, page_token=first.next_page_token)
    assert (names(first), names(second)) == (home[:2], [home[2], f"//{ABROAD}/{there(1)}"])
    # The region has said all: the list is at its end.
    assert (second.next_page_token, list(second.unreachable)) == ("", [])
    (sent,) = licensing.known.asked
    assert (sent.page_size, sent.page_token, sent.filter) == (1, "", asked["filter"])
    assert licensing.known.tokens_used == ["Bearer access:assertion:person"]
    assert licensing.told[-1].transaction_id


async def test_all_regions_record_the_pages_of_a_list_under_one_transaction(licensing: License) -> None:
    licensing.known.lists_abroad = [answer(there(2), token="next"), answer(there(3))]
    first = await listed(licensing, page_size=1, regions=[ABROAD])
    second = await listed(licensing, page_size=1, regions=[ABROAD], page_token=first.next_page_token)
    assert names(first) + names(second) == [f"//{ABROAD}/{there(2)}", f"//{ABROAD}/{there(3)}"]
    one, two = licensing.known.asked
    # A token of theirs holds for the same request only.
    assert one.use_context == two.use_context and two.page_token == "next"
    query = sa.text("SELECT count(*) FROM audit_records WHERE transaction_id = :id")
    async with licensing.service.process.database.read() as connection:
        assert await sql.scalar(connection, query, {"id": one.use_context.transaction_id}) >= 2


_FAULTS: dict[str, pb.ListLicensesResponse | TongbanError | type[Hanging] | grpc.StatusCode] = {
    "hangs": Hanging,
    "refuses": Unavailable("DEPENDENCY_UNAVAILABLE", "closed", dependency="database"),
    "is older": grpc.StatusCode.UNIMPLEMENTED,
    "does not know the filter": invalid_field("filter", "filter.field", "none of these"),
    "shows what is no licence": answer("persons/00000000-0000-7000-8000-000000000001"),
    "shows a third region's": answer(f"//{THIRD}/{there(1)}"),
    "shows its own people's": answer(there(1), subject=PERSON),
    "shows what nobody holds": answer(there(1), subject=""),
    "gives more than was asked": answer(*(there(number) for number in range(51))),
    "has a token that is too long": answer(there(1), token="x" * 900),
}


@pytest.mark.parametrize("fault", _FAULTS)
async def test_a_region_that_can_not_be_asked_is_named_and_the_others_come(
    licensing: License, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    impatience = Impatience()
    monkeypatch.setattr(regional, "patience", impatience)
    home = await held(licensing, 1)
    licensing.known.trusted.add(THIRD)
    said = _FAULTS[fault]
    licensing.known.lists_abroad = [Hanging(impatience) if isinstance(said, type) else said, answer(there(7))]
    page = await listed(licensing, regions=[ABROAD, THIRD])
    assert (names(page), list(page.unreachable)) == ([home[0], f"//{THIRD}/{there(7)}"], [ABROAD])
    assert page.next_page_token == ""


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", b"\x00\x00\x00\x04\x00\xff" * 50]
)
async def test_what_is_no_gateway_is_named(licensing: License, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    impatience = Impatience()
    monkeypatch.setattr(regional, "patience", impatience)
    home = await held(licensing, 1)
    licensing.known.trusted.add(THIRD)
    licensing.known.lists_abroad = [answer(there(7))]
    async with speaking(said, impatience) as url:
        licensing.known.gateways[THIRD] = url
        page = await listed(licensing, regions=[THIRD, ABROAD])
    assert (names(page), list(page.unreachable)) == ([home[0], f"//{ABROAD}/{there(7)}"], [THIRD])


async def test_who_is_not_trusted_or_not_there_is_named(licensing: License) -> None:
    licensing.known.gateways["110101"] = f"http://{HOST}:9"
    licensing.known.trusted.add("110101")
    page = await listed(licensing, regions=[THIRD, "110101"])
    assert (names(page), list(page.unreachable), page.next_page_token) == ([], [THIRD, "110101"], "")


async def test_a_page_that_has_waited_long_enough_ends_and_goes_on_from_there(
    licensing: License, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatience = Impatience()
    monkeypatch.setattr(regional, "patience", impatience)
    monkeypatch.setattr(regional, "PAGE_SECONDS", 0.1)
    licensing.known.trusted.add(THIRD)
    licensing.known.lists_abroad = [Hanging(impatience), answer(there(7))]
    pages = [await listed(licensing, regions=[ABROAD, THIRD])]
    while pages[-1].next_page_token:
        pages.append(await listed(licensing, regions=[ABROAD, THIRD], page_token=pages[-1].next_page_token))
    assert len(pages) > 1
    assert [each for page in pages for each in page.unreachable] == [ABROAD]
    assert [each for page in pages for each in names(page)] == [f"//{THIRD}/{there(7)}"]


async def test_only_people_ask_and_only_by_themselves(licensing: License) -> None:
    at_window = licensing.token(PERSON, "STAFF", dept="departments/x", act={"sub": "staff/y"})
    for token in (licensing.staff(), at_window):
        with pytest.raises(TongbanError):
            await listed(licensing, token, holder=PERSON, regions=[ABROAD])
    refused: dict[str, dict[str, Any]] = {
        "regions.beside": {"case": "cases/00000000-0000-7000-8000-0000000000c8"},
        "regions.home": {"regions": ["341500"]},
        "filter.regions": {"filter": f"state = LICENSE_STATE_ISSUED OR NOT license_type = licenseTypes/{there(1)[9:]}"},
    }
    for rule, more in refused.items():
        with pytest.raises(TongbanError) as caught:
            await listed(licensing, **{"regions": [ABROAD], **more})
        assert [each.rule for each in caught.value.violations] == [rule]
    assert licensing.known.asked == []


async def test_all_names_of_a_licence_elsewhere_lead_there(licensing: License) -> None:
    shown = answer(there(1))
    shown.licenses[0].MergeFrom(
        resources.License(
            case="cases/1",
            license_type="licenseTypes/1",
            issuer=resources.Issuer(department="departments/1"),
            holders=[party_pb2.Party(subject="persons/theirs")],
            sealing=f"//{THIRD}/sealings/1",
        )
    )
    licensing.known.lists_abroad = [shown]
    shown.licenses[0].face_fields["KEY"].string_value = "x"
    (found,) = (await listed(licensing, regions=[ABROAD])).licenses
    # What a list leaves out is left out, also where the other region says it.
    assert (len(found.face_fields), found.holders[0].document.number) == (0, "341***********1234")
    assert (found.case, found.license_type) == (f"//{ABROAD}/cases/1", f"//{ABROAD}/licenseTypes/1")
    assert found.issuer.department == f"//{ABROAD}/departments/1"
    assert [each.subject for each in found.holders] == [PERSON, f"//{ABROAD}/persons/theirs"]
    assert (found.sealing, found.seal) == (f"//{THIRD}/sealings/1", "")


async def test_a_token_of_one_region_is_none_of_the_list(licensing: License) -> None:
    await held(licensing, 2)
    alone = await listed(licensing, page_size=1)
    with pytest.raises(TongbanError) as caught:
        await listed(licensing, page_size=1, regions=[ABROAD], page_token=alone.next_page_token)
    assert caught.value.reason == "PAGE_TOKEN_INVALID"


async def test_what_a_licence_elsewhere_is_called_by_issues_none_here(licensing: License) -> None:
    """A list shows another region's departments; an order takes this region's."""
    issuer = resources.Issuer(department=f"//{ABROAD}/{DEPARTMENT}", display_name=DEPARTMENT_NAME, code=DEPARTMENT_CODE)
    order = licensing.order((await licensing.license_type()).name, issuer=issuer)
    method, service = licensing.licenses.IssueLicense, licensing.token("services/cases", "SERVICE")
    with pytest.raises(TongbanError) as caught:
        await licensing.call(method, order, resources.License, service)
    assert [(each.field, each.rule) for each in caught.value.violations] == [("issuer.department", "issuer.region")]
    with pytest.raises(TongbanError) as caught:
        await licensing.issue(order)
    assert caught.value.reason == "NOT_OWNER"
