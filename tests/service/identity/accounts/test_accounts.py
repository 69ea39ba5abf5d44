"""AccountService on the real stack."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from libs.ids import citizen_id
from libs.rpc.status import from_rpc_error
from tests.support.patience import PATIENCE, invoke, invoke_recorded
from tests.support.service import Ground, Service, serving
from tongban.audit.v1 import audit_service_pb2 as audit
from tongban.audit.v1 import audit_service_pb2_grpc
from tongban.common.v1 import common_pb2, party_pb2
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import account_service_pb2_grpc, resources_pb2

# The standard's own example (GB 11643-1999), not a living person's.
DOCUMENT = common_pb2.IdentityDocument(type_code="111", number="11010519491231002X")


@pytest_asyncio.fixture
async def identity(ground: Ground) -> AsyncIterator[Service]:
    """The identity service on a fresh database."""
    async with serving(ground, "identity") as service:
        yield service


def _create(
    number: str = DOCUMENT.number, name: str = "测试甲", request_id: str | None = None
) -> pb.CreatePersonRequest:
    document = common_pb2.IdentityDocument(type_code="111", number=number)
    person = resources_pb2.Person(
        full_name=name,
        documents=[resources_pb2.HeldDocument(document=document)],
        contact_points=[resources_pb2.ContactPoint(phone="13800001234")],
    )
    return pb.CreatePersonRequest(person=person, request_id=request_id or str(uuid.uuid4()))


class _Clerk:
    def __init__(self, service: Service) -> None:
        self.stub = account_service_pb2_grpc.AccountServiceStub(service.channel)
        self.token = service.issuer.token("staff/00000000-0000-7000-8000-000000000001", "STAFF")

    async def create(self, request: pb.CreatePersonRequest) -> resources_pb2.Person:
        return await invoke(self.stub.CreatePerson, request, resources_pb2.Person, to="identity", token=self.token)


async def test_a_person_is_created_once_and_read_masked(identity: Service) -> None:
    clerk = _Clerk(identity)
    request = _create()
    first = await clerk.create(request)
    assert first.full_name == "测**"
    assert [each.document.number for each in first.documents] == ["110***********002X"]
    assert [each.phone for each in first.contact_points] == ["138****1234"]
    assert first.masked
    again = await clerk.create(request)
    assert again == first
    found = await invoke(
        clerk.stub.LookupPerson,
        pb.LookupPersonRequest(
            document=DOCUMENT, use_context=common_pb2.UseContext(purpose_code="ASSISTANCE", purpose="窗口受理")
        ),
        resources_pb2.Person,
        to="identity",
        token=clerk.token,
    )
    assert found.name == first.name


async def test_the_same_request_id_with_another_body_is_refused(identity: Service) -> None:
    clerk = _Clerk(identity)
    request = _create()
    await clerk.create(request)
    with pytest.raises(FailedPrecondition) as error:
        await clerk.create(_create(name="测试乙", request_id=request.request_id))
    assert error.value.reason == "REQUEST_ID_REUSED"


async def test_a_document_has_one_living_account(identity: Service) -> None:
    clerk = _Clerk(identity)
    await clerk.create(_create())
    with pytest.raises(AlreadyExists) as error:
        await clerk.create(_create())
    assert error.value.reason == "RESOURCE_EXISTS"
    assert error.value.metadata == {"resource": "persons"}


async def test_a_wrong_check_character_names_the_field(identity: Service) -> None:
    with pytest.raises(InvalidArgument) as error:
        await _Clerk(identity).create(_create(number="110105194912310021"))
    assert error.value.violations[0].field == "person.documents[0].document.number"


async def test_an_account_has_some_documents_and_ways_to_reach_at_most(identity: Service) -> None:
    """What the lists don't take is refused by name, and nothing of it is dropped."""
    clerk = _Clerk(identity)

    async def refused(request: pb.CreatePersonRequest) -> list[tuple[str, str]]:
        with pytest.raises(InvalidArgument) as error:
            await clerk.create(request)
        return [(each.field, each.rule) for each in error.value.violations]

    none, twice, many, called, nothing, empty = (_create() for _ in range(6))
    del none.person.documents[:]
    twice.person.documents.append(resources_pb2.HeldDocument(document=DOCUMENT))
    passports = [common_pb2.IdentityDocument(type_code="414", number=f"E{at:08d}") for at in range(10)]
    many.person.documents.extend(resources_pb2.HeldDocument(document=each) for each in passports)
    called.person.contact_points.extend(resources_pb2.ContactPoint(phone=f"1380000123{at}") for at in range(5))
    nothing.person.contact_points[0].ClearField("phone")
    empty.person.contact_points[0].phone = ""
    assert await refused(none) == [("person.documents", "repeated.min_items")]
    assert await refused(twice) == [("person.documents[1].document", "documents.unique")]
    assert await refused(many) == [("person.documents", "repeated.max_items")]
    assert await refused(called) == [("person.contact_points", "repeated.max_items")]
    assert await refused(nothing) == [("person.contact_points[0].point", "required")]
    assert await refused(empty) == [("person.contact_points[0].phone", "string.pattern")]


async def test_who_has_no_phone_has_no_contact_point(identity: Service) -> None:
    """When a point was proven is the server's to say: it is not taken of a caller."""
    clerk, proven, request = _Clerk(identity), _create(), _create(number=_residence("11010519500101001"))
    proven.person.contact_points[0].verify_time.GetCurrentTime()
    assert not (await clerk.create(proven)).contact_points[0].HasField("verify_time")
    del request.person.contact_points[:]
    assert not (await clerk.create(request)).contact_points


async def test_strangers_are_refused(identity: Service) -> None:
    stub = account_service_pb2_grpc.AccountServiceStub(identity.channel)
    with pytest.raises(Unauthenticated) as missing:
        await invoke(stub.CreatePerson, _create(), resources_pb2.Person, to="identity", token="")
    assert missing.value.reason == "TOKEN_MISSING"
    expired = identity.issuer.token("staff/00000000-0000-7000-8000-0000000000ad", "STAFF", now=1_600_000_000)
    with pytest.raises(Unauthenticated) as late:
        await invoke(stub.CreatePerson, _create(), resources_pb2.Person, to="identity", token=expired)
    assert late.value.metadata == {"rule": "exp"}
    person = identity.issuer.token("persons/00000000-0000-7000-8000-0000000000ea", "PERSON")
    with pytest.raises(PermissionDenied) as kind:
        await invoke(stub.CreatePerson, _create(), resources_pb2.Person, to="identity", token=person)
    assert kind.value.reason == "ACTOR_NOT_ALLOWED"
    stranger = identity.channel_as("identity")
    with pytest.raises(PermissionDenied) as peer:
        await invoke(
            account_service_pb2_grpc.AccountServiceStub(stranger).CreatePerson,
            _create(),
            resources_pb2.Person,
            to="identity",
            token="",
        )
    assert peer.value.reason == "PEER_NOT_ALLOWED"
    await stranger.close()


async def test_broken_bytes_get_a_typed_error(identity: Service) -> None:
    call: Any = identity.channel.unary_unary("/tongban.identity.v1.AccountService/CreatePerson")
    metadata = identity.metadata("staff/00000000-0000-7000-8000-0000000000ad", "STAFF")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call(b"\x0a\x05\x0a\x03\xff\xfe\xfd", metadata=metadata, timeout=PATIENCE)
    error = from_rpc_error(raised.value, "identity")
    assert isinstance(error, InvalidArgument)
    assert error.violations[0].rule == "protobuf"


async def test_a_reading_in_clear_leaves_a_receipt_in_the_log(identity: Service) -> None:
    clerk = _Clerk(identity)
    person = await clerk.create(_create())
    context = common_pb2.UseContext(purpose_code="IDENTITY_CHECK", purpose="核对身份", case="cases/1")
    revealed, receipt = await invoke_recorded(
        clerk.stub.RevealPerson,
        pb.RevealPersonRequest(name=person.name, use_context=context),
        resources_pb2.Person,
        to="identity",
        token=clerk.token,
    )
    assert receipt is not None
    assert revealed.documents[0].document.number == DOCUMENT.number
    assert revealed.contact_points[0].phone == "13800001234"
    log = audit_service_pb2_grpc.AuditServiceStub(identity.channel)
    record = await invoke(
        log.GetAuditRecord,
        audit.GetAuditRecordRequest(name=receipt.record),
        audit.AuditRecord,
        to="identity",
        token=identity.issuer.token("staff/00000000-0000-7000-8000-0000000000ad", "STAFF"),
    )
    assert (record.purpose, record.case, record.object) == ("核对身份", "cases/1", person.name)
    assert list(record.fields) == [
        "full_name",
        "documents.document.number",
        "contact_points.phone",
        "contact_points.email",
    ]


async def test_unknown_names_are_not_found(identity: Service) -> None:
    stub = account_service_pb2_grpc.AccountServiceStub(identity.channel)
    name = "organizations/00000000-0000-7000-8000-00000000000f"
    with pytest.raises(NotFound) as error:
        await invoke(
            stub.GetOrganization,
            pb.GetOrganizationRequest(name=name),
            resources_pb2.Organization,
            to="identity",
            token=identity.issuer.token("persons/00000000-0000-7000-8000-0000000000ea", "PERSON"),
        )
    assert error.value.metadata == {"resource": name}


async def test_people_read_their_own_account_and_staff_say_why(identity: Service) -> None:
    clerk = _Clerk(identity)
    person = await clerk.create(_create())
    own, other = (
        identity.issuer.token(person.name, "PERSON"),
        identity.issuer.token("persons/00000000-0000-7000-8000-0000000000ee", "PERSON"),
    )
    helper = identity.issuer.token("persons/00000000-0000-7000-8000-0000000000ee", "PERSON", org=person.name)
    get = pb.GetPersonRequest(name=person.name)

    async def read(token: str) -> resources_pb2.Person:
        return await invoke(clerk.stub.GetPerson, get, resources_pb2.Person, to="identity", token=token)

    assert (await read(own)).name == person.name
    with pytest.raises(NotFound):
        await read(other)
    for token in (clerk.token, helper):
        with pytest.raises(InvalidArgument) as error:
            await read(token)
        assert error.value.violations[0].field == "use_context.purpose_code"
    get.use_context.purpose_code = "ASSISTANCE"
    assert (await read(helper)).masked


async def test_a_window_token_opens_that_persons_account_only(identity: Service) -> None:
    clerk = _Clerk(identity)
    person = await clerk.create(_create())
    act = {"sub": "staff/00000000-0000-7000-8000-000000000001", "actor_kind": "STAFF"}
    request = pb.RevealPersonRequest(
        name=person.name, use_context=common_pb2.UseContext(purpose_code="IDENTITY_CHECK", purpose="核对")
    )

    async def reveal(subject: str) -> resources_pb2.Person:
        token = identity.issuer.token(subject, "STAFF", act=act)
        return await invoke(clerk.stub.RevealPerson, request, resources_pb2.Person, to="identity", token=token)

    assert (await reveal(person.name)).documents[0].document.number == DOCUMENT.number
    with pytest.raises(NotFound) as error:
        await reveal("persons/00000000-0000-7000-8000-0000000000ee")
    assert error.value.reason == "RESOURCE_NOT_FOUND"


async def test_a_search_for_an_impossible_number_finds_nobody_and_is_recorded(identity: Service) -> None:
    clerk = _Clerk(identity)
    impossible = common_pb2.IdentityDocument(type_code="111", number="110105194912310021")
    request = pb.LookupPersonRequest(
        document=impossible, use_context=common_pb2.UseContext(purpose_code="ASSISTANCE", purpose="窗口受理")
    )
    with pytest.raises(NotFound):
        await invoke(clerk.stub.LookupPerson, request, resources_pb2.Person, to="identity", token=clerk.token)
    log = audit_service_pb2_grpc.AuditServiceStub(identity.channel)
    page = await invoke(
        log.ListAuditRecords,
        audit.ListAuditRecordsRequest(parent="identity", filter="object = persons"),
        audit.ListAuditRecordsResponse,
        to="identity",
        token=identity.issuer.token("staff/00000000-0000-7000-8000-0000000000ad", "STAFF"),
    )
    assert [record.purpose for record in page.audit_records] == ["窗口受理"]


async def test_an_expiry_date_is_kept_if_the_calendar_has_it(identity: Service) -> None:
    clerk, request = _Clerk(identity), _create()
    (held,) = request.person.documents
    held.expire_date.CopyFrom(common_pb2.Date(year=2033, month=2, day=30))
    with pytest.raises(InvalidArgument) as error:
        await clerk.create(request)
    assert error.value.violations[0].field == "person.documents[0].expire_date"
    held.expire_date.day = 28
    assert (await clerk.create(request)).documents[0].expire_date.day == 28


async def test_an_organisation_is_what_its_code_says(identity: Service) -> None:
    clerk = _Clerk(identity)

    async def create(uscc: str, kind: party_pb2.PartyKind.ValueType, head: str = "") -> None:
        firm = resources_pb2.Organization(display_name="测试公司", uscc=uscc, kind=kind, legal_representative=head)
        request = pb.CreateOrganizationRequest(organization=firm, request_id=str(uuid.uuid4()))
        await invoke(
            clerk.stub.CreateOrganization, request, resources_pb2.Organization, to="identity", token=clerk.token
        )

    enterprise = party_pb2.PARTY_KIND_ENTERPRISE
    with pytest.raises(InvalidArgument) as error:
        await create("11100000000013338W", enterprise)
    assert error.value.violations[0].field == "organization.kind"
    unverified = (await clerk.create(_create())).name
    with pytest.raises(PermissionDenied) as weak:
        await create("91350100M000100Y43", enterprise, unverified)
    assert weak.value.reason == "ASSURANCE_TOO_LOW"
    await create("91350100M000100Y43", enterprise)
    with pytest.raises(AlreadyExists):
        await create("91350100M000100Y43", enterprise)


@pytest.mark.parametrize(
    ("name", "rule"), [("\u3164", "name.blank"), ("　 ", "name.blank"), ("张\u202e三", "name.invisible")]
)
async def test_a_name_that_nobody_can_see_opens_no_account(identity: Service, name: str, rule: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await _Clerk(identity).create(_create(name=name))
    assert [(each.field, each.rule) for each in refused.value.violations] == [("person.full_name", rule)]


@pytest.mark.parametrize("name", ["阿卜杜拉·买买提", "Jose\u0301 Garci\u0301a", "示例（六安）", "葛\U000e0100亮"])
async def test_a_name_is_kept_as_it_was_given(identity: Service, name: str) -> None:
    clerk = _Clerk(identity)
    made = await clerk.create(_create(name=name))
    request = pb.RevealPersonRequest(
        name=made.name, use_context=common_pb2.UseContext(purpose_code="ASSISTANCE", purpose="窗口受理")
    )
    shown = await invoke(clerk.stub.RevealPerson, request, resources_pb2.Person, to="identity", token=clerk.token)
    assert shown.full_name == name


def _residence(body: str) -> str:
    return body + citizen_id.check_char(body)


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        (_residence("91115619900101001"), ""),
        (_residence("91115619900101001").lower(), ""),
        ("USA110090010112", ""),
        (_residence("91115619900101001")[:-1] + "?", "residence_number.shape"),
        ("81115619900101001X", "residence_number.shape"),
        (_residence("91115619901301001"), "residence_number.birth_date"),
        (_residence("91115620990101001"), "residence_number.birth_date"),
        (_residence("91115617990101001"), "residence_number.birth_date"),
    ],
)
async def test_a_permanent_residence_number_is_checked(identity: Service, number: str, rule: str) -> None:
    request = _create()
    (held,) = request.person.documents
    held.document.type_code, held.document.number = "553", number
    if not rule:
        made = await _Clerk(identity).create(request)
        assert made.documents[0].document.type_code == "553"
        return
    with pytest.raises(InvalidArgument) as refused:
        await _Clerk(identity).create(request)
    assert [(each.field, each.rule) for each in refused.value.violations] == [
        ("person.documents[0].document.number", rule)
    ]


async def test_a_wrong_check_character_of_a_residence_number_is_refused(identity: Service) -> None:
    number = _residence("91115619900101001")
    request = _create(number=number[:-1] + ("0" if number[-1] != "0" else "1"))
    request.person.documents[0].document.type_code = "553"
    with pytest.raises(InvalidArgument, match=r"residence_number\.check"):
        await _Clerk(identity).create(request)


async def test_nobody_is_born_in_the_future(identity: Service) -> None:
    today = identity.process.clock.now().date()
    for year in (today.year + 2, 9999):
        body = f"110105{year}0101002"
        with pytest.raises(InvalidArgument, match=r"citizen_id\.birth_date"):
            await _Clerk(identity).create(_create(number=body + citizen_id.check_char(body)))
