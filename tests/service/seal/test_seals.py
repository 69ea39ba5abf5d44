"""SealService on the real stack."""

import asyncio
import io
import re
from datetime import timedelta

import pytest
from google.api import httpbody_pb2
from PIL import Image

from libs.clock import FakeClock, SystemClock
from libs.crypto.x509 import Certificate
from libs.errors import Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from services.seal.core.seal_rules import SealKind, SealRank, SealState
from services.seal.core.ses import parse_seal
from tests.support.seal_office import LICENSE, OWNER, SealOffice, fresh, order, seal_office
from tests.support.service import Ground
from tongban.seal.v1 import certificate_service_pb2 as certificates
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import seal_service_pb2 as pb


async def test_a_seal_is_made_once_and_holds_what_was_ordered(office: SealOffice) -> None:
    request = order()
    made = await office.make(request)
    assert await office.make(request) == made
    seal = parse_seal(made.structure)
    assert (seal.seal_id, seal.name, seal.width_mm) == (made.seal_id, request.seal.display_name, 42)
    assert (made.seal_code[:6], made.round.diameter_mm, made.state) == ("341500", 42, resources.SEAL_STATE_ACTIVE)
    signer = Certificate.parse(seal.certificates[0])
    assert signer.subject.startswith(f"CN={request.seal.display_name}")
    got = await office.ask(
        office.certificates.GetCertificate,
        certificates.GetCertificateRequest(name=made.certificate),
        resources.Certificate,
    )
    assert (got.der, got.kind) == (signer.der, resources.CERTIFICATE_KIND_SIGNER)
    maker = await office.ask(
        office.certificates.GetCertificate,
        certificates.GetCertificateRequest(name=made.maker_certificate),
        resources.Certificate,
    )
    assert (maker.der, maker.kind) == (seal.maker_certificate, resources.CERTIFICATE_KIND_SEAL_MAKER)
    assert [Certificate.parse(der).is_ca for der in maker.chain] == [True, True]
    found = await office.ask(office.seals.GetSeal, pb.GetSealRequest(name=made.name), resources.Seal)
    assert found == made


async def test_both_pictures_show_the_seal(office: SealOffice) -> None:
    made = await office.make()
    svg = await office.ask(office.seals.GetSealPicture, pb.GetSealPictureRequest(name=made.name), httpbody_pb2.HttpBody)
    assert svg.content_type == "image/svg+xml"
    assert svg.data.startswith(b"<svg")
    png = await office.ask(
        office.seals.GetSealPicture,
        pb.GetSealPictureRequest(name=made.name, format=pb.PICTURE_FORMAT_PNG),
        httpbody_pb2.HttpBody,
    )
    assert Image.open(io.BytesIO(png.data)).size == (504, 504)
    assert parse_seal(made.structure).picture == png.data


async def test_a_seal_code_is_borne_once(office: SealOffice) -> None:
    await office.make(order(seal_code="34150000000001"))
    with pytest.raises(AlreadyExists) as caught:
        await office.make(order(seal_code="34150000000001"))
    assert caught.value.metadata == {"resource": "seals"}
    # The sequence steps over the code that was given by hand.
    assert (await office.make()).seal_code == "34150000000002"


_CAFE = ("Cafe\u0301商会", "Café商会")


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"owner_uscc": "91350100M000100Y44"}, "FIELD_INVALID", "seal.owner_uscc"),
        ({"bottom_text": "专用\U00030000章"}, "SEAL_TEXT_UNDRAWABLE", ""),
        ({"bottom_text": "专用\U000f0000章"}, "FIELD_INVALID", "seal.round.bottom_text"),
        ({"arc_text": "\u3164\u3164\u3164\u3164"}, "FIELD_INVALID", "seal.round.arc_text"),
        ({"arc_text": "测试\u200b局"}, "FIELD_INVALID", "seal.round.arc_text"),
        ({"bottom_text": "\u3164"}, "FIELD_INVALID", "seal.round.bottom_text"),
        ({"display_name": "　"}, "FIELD_INVALID", "seal.display_name"),
        ({"arc_text": "短"}, "FIELD_INVALID", "seal.round.arc_text"),
        ({"users": []}, "FIELD_INVALID", "seal.users"),
        ({"users": [resources.SealUser(subject="persons/x")]}, "FIELD_INVALID", "seal.users[0].subject"),
    ],
)
async def test_what_can_not_be_a_seal_is_refused(
    office: SealOffice, changes: dict[str, object], reason: str, field: str
) -> None:
    request = order(**{key: value for key, value in changes.items() if key != "users"})
    if "users" in changes:
        del request.seal.users[:]
        request.seal.users.extend(changes["users"])  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument) as caught:
        await office.make(request)
    assert caught.value.reason == reason
    assert [violation.field for violation in caught.value.violations] == ([field] if field else [])


async def test_a_decomposed_name_is_kept_and_drawn_with_composed_letters(office: SealOffice) -> None:
    made = [await office.make(order(arc_text=arc, seal_code=f"3415000000900{n}")) for n, arc in enumerate(_CAFE)]
    assert [each.round.arc_text for each in made] == list(_CAFE)
    asked = [pb.GetSealPictureRequest(name=each.name) for each in made]
    drawn = [await office.ask(office.seals.GetSealPicture, each, httpbody_pb2.HttpBody) for each in asked]
    # All but the code at the foot is the same, in the same places: an accent of its own would take a place on the arc.
    shapes = [re.findall(rb'd="([^"]+)"', each.data)[0].split(b"Z") for each in drawn]
    same = sum(one == other for one, other in zip(*shapes, strict=False))
    assert same >= len(shapes[0]) - 3


async def test_the_period_runs_forward_and_ends_in_the_future(office: SealOffice) -> None:
    now = SystemClock().now()
    for start, end in ((0, -1), (-20, -10), (0, 4000)):
        request = order()
        request.seal.start_time.FromDatetime(now + timedelta(days=start))
        request.seal.end_time.FromDatetime(now + timedelta(days=end))
        with pytest.raises(InvalidArgument) as caught:
            await office.make(request)
        assert caught.value.violations[0].field == "seal.end_time"


async def test_an_ended_seal_stays_ended_and_takes_its_certificate_with_it(office: SealOffice) -> None:
    made = await office.make()
    stale = pb.RevokeSealRequest(name=made.name, request_id=fresh(), reason="x", etag='"7"')
    with pytest.raises(Aborted) as changed:
        await office.ask(office.seals.RevokeSeal, stale, resources.Seal)
    assert changed.value.reason == "ETAG_MISMATCH"
    revoked = await office.revoke(made)
    assert (revoked.state, revoked.revoke_reason) == (resources.SEAL_STATE_REVOKED, "机构撤并")
    with pytest.raises(FailedPrecondition) as again:
        await office.revoke(made)
    assert again.value.metadata["state"] == "REVOKED"
    signer = await office.ask(
        office.certificates.GetCertificate,
        certificates.GetCertificateRequest(name=made.certificate),
        resources.Certificate,
    )
    assert (signer.state, signer.revocation_reason) == (
        resources.CERTIFICATE_STATE_REVOKED,
        resources.REVOCATION_REASON_CESSATION_OF_OPERATION,
    )


async def test_seals_are_listed_by_page_and_filter(office: SealOffice) -> None:
    made = [await office.make() for _ in range(3)]
    other = await office.make(order(owner=OWNER.replace("departments", "organizations")))
    await office.revoke(made[0])

    async def page(**fields: object) -> pb.ListSealsResponse:
        request = pb.ListSealsRequest(**fields)  # type: ignore[arg-type]
        answer: pb.ListSealsResponse = await office.ask(office.seals.ListSeals, request, pb.ListSealsResponse)
        return answer

    owned = f"owner = {OWNER}"
    first = await page(page_size=2, filter=owned)
    second = await page(page_size=2, filter=owned, page_token=first.next_page_token)
    names = [seal.name for seal in (*first.seals, *second.seals)]
    assert names == [seal.name for seal in reversed(made)]
    assert second.next_page_token == ""
    assert not first.seals[0].structure
    assert list(first.seals[0].users) == [LICENSE]
    active = await page(filter=f"{owned} AND state = SEAL_STATE_ACTIVE")
    assert {seal.name for seal in active.seals} == {seal.name for seal in made[1:]}
    (found,) = (await page(filter=f"seal_code = {other.seal_code} AND kind = SEAL_KIND_BUSINESS")).seals
    assert found.name == other.name
    with pytest.raises(InvalidArgument) as caught:
        await page(filter="owner = departments/x", page_token=first.next_page_token)
    assert caught.value.reason == "PAGE_TOKEN_INVALID"


async def test_a_seal_past_its_period_is_shown_as_expired(ground: Ground) -> None:
    clock = FakeClock(SystemClock().now())
    async with seal_office(ground, clock=clock) as office:
        request = order()
        request.seal.end_time.FromDatetime(clock.now() + timedelta(seconds=30))
        made = await office.make(request)
        clock.advance(timedelta(seconds=60))
        expired = pb.ListSealsRequest(filter="state = SEAL_STATE_EXPIRED")
        (found,) = (await office.ask(office.seals.ListSeals, expired, pb.ListSealsResponse)).seals
        assert (found.name, found.state) == (made.name, resources.SEAL_STATE_EXPIRED)


async def test_only_officers_make_seals(office: SealOffice) -> None:
    for token, reason in (
        (office.token("persons/00000000-0000-7000-8000-0000000000ea", "PERSON"), "ACTOR_NOT_ALLOWED"),
        (office.token(scope="seal.seals.get"), "PERMISSION_MISSING"),
    ):
        with pytest.raises(PermissionDenied) as caught:
            await office.ask(office.seals.CreateSeal, order(), resources.Seal, token=token)
        assert caught.value.reason == reason


async def test_unknown_seals_are_not_found(office: SealOffice) -> None:
    name = "seals/01890000-0000-7000-8000-00000000000f"
    for method, request, answer in (
        (office.seals.GetSeal, pb.GetSealRequest(name=name), resources.Seal),
        (office.seals.GetSealPicture, pb.GetSealPictureRequest(name=name), httpbody_pb2.HttpBody),
        (office.seals.RevokeSeal, pb.RevokeSealRequest(name=name, request_id=fresh(), reason="x"), resources.Seal),
    ):
        with pytest.raises(NotFound) as caught:
            await office.ask(method, request, answer)
        assert caught.value.metadata == {"resource": name}


async def test_two_replicas_that_start_at_once_have_one_seal_maker(office: SealOffice) -> None:
    made = await asyncio.gather(*(office.make() for _ in range(4)))
    assert len({seal.maker_certificate for seal in made}) == 1
    assert len({seal.seal_code for seal in made}) == 4


def test_the_rules_words_are_the_contracts() -> None:
    for ours, theirs, prefix in (
        (SealKind, resources.SealKind, "SEAL_KIND_"),
        (SealRank, resources.SealRank, "SEAL_RANK_"),
        (SealState, resources.SealState, "SEAL_STATE_"),
    ):
        assert [f"{prefix}{each}" for each in ours] == theirs.keys()[1:]
