"""Sets up a region through its gateway: departments, posts, staff, channel, calendars, licence types, seal, items."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from deploy.local.demo.catalogue import CONVENIENCE_STORE, DemoItem, LicenceKind, task_code
from deploy.local.demo.gateway import Gateway, Machine, request_id
from libs.civil import notices
from libs.civil.festivals import Festival
from libs.ids.synthetic import SyntheticPopulation
from libs.rpc.messages import date_message, working_days
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from tongban.cases.v1 import calendar_service_pb2, item_service_pb2
from tongban.cases.v1 import resources_pb2 as case_resources
from tongban.common.v1 import common_pb2, party_pb2, value_pb2
from tongban.identity.v1 import (
    client_service_pb2,
    resources_pb2,
    staff_service_pb2,
    token_service_pb2,
    verification_service_pb2,
)
from tongban.license.v1 import license_type_service_pb2
from tongban.license.v1 import resources_pb2 as license_resources
from tongban.options.v1 import options_pb2
from tongban.seal.v1 import resources_pb2 as seal_resources
from tongban.seal.v1 import seal_service_pb2

DUTIES = {
    "receiving": ("窗口受理岗", resources_pb2.DUTY_RECEIVING),
    "reviewing": ("审查岗", resources_pb2.DUTY_REVIEWING),
    "deciding": ("决定岗", resources_pb2.DUTY_DECIDING),
    "custody": ("印章保管岗", resources_pb2.DUTY_SEAL_CUSTODY),
    "data": ("数据管理岗", resources_pb2.DUTY_DATA),
    "data2": ("数据复核岗", resources_pb2.DUTY_DATA),
    "auditing": ("审计岗", resources_pb2.DUTY_AUDITING),
    # Before there are two administrators: from then on it takes them to make one.
    "security": ("安全管理岗", resources_pb2.DUTY_SECURITY),
    "administration": ("系统管理岗", resources_pb2.DUTY_ADMINISTRATION),
    "administration2": ("系统管理复核岗", resources_pb2.DUTY_ADMINISTRATION),
}
LONG_AGO = datetime(2023, 1, 1, tzinfo=UTC)
LONG_AHEAD = datetime(2033, 1, 1, tzinfo=UTC)


@dataclass
class Office:
    """One region's approval bureau (行政审批局) as the demo set it up.

    Attributes:
        gateway: the region's gateway.
        admin: the administrator's client of the first start.
        channel: the channel that authenticates people and staff: the hall's counter system.
        department: `departments/…`.
        department_name: what it is called.
        uscc: its unified social credit code.
        staff: `staff/…` by key of DUTIES.
        licence_types: `licenseTypes/…` by the serial of the LicenceKind.
        items: `serviceItems/…` by the number of the DemoItem.
        seal: `seals/…`.
    """

    gateway: Gateway
    admin: Machine
    channel: Machine
    department: str
    department_name: str
    uscc: str
    staff: dict[str, str] = field(default_factory=dict)
    licence_types: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    seal: str = ""

    async def admin_token(self) -> str:
        """The administrator's token."""
        return await self.gateway.machine_token(self.admin)

    async def token_of(self, duty: str) -> str:
        """The token of the member of staff with this duty."""
        return await self.gateway.human_token(self.channel, self.staff[duty], "STAFF", acr="4")

    async def token_in(self, other: Gateway, duty: str) -> str:
        """The token of the member of staff in another region: asserted at home, exchanged there (RFC 8693)."""
        own = await self.token_of(duty)
        asserted = await self.gateway.exchange(
            token_service_pb2.ExchangeTokenRequest(
                subject_token=own, subject_token_type=ACCESS_TOKEN, audience=f"//{other.id}"
            )
        )
        accepted = await other.exchange(
            token_service_pb2.ExchangeTokenRequest(subject_token=asserted.access_token, subject_token_type=ASSERTION)
        )
        return accepted.access_token

    async def token_of_person(self, person: str) -> str:
        """A person's token, as if they had just been authenticated at the counter."""
        return await self.gateway.human_token(self.channel, person, "PERSON", acr="4")


async def open_office(gateway: Gateway, credentials: Path) -> Office:
    """Makes the department, its posts and staff, and the channel client."""
    admin = Machine.from_file(credentials)
    token = await gateway.machine_token(admin)
    name = f"{gateway.name}行政审批局"
    code = SyntheticPopulation(gateway.code, province=gateway.code[:2]).uscc("11")
    department = await gateway.using(token).identity.create_department(
        department=resources_pb2.Department(display_name=name, uscc=code, region_code=gateway.code)
    )
    channel = await _channel(gateway, token)
    office = Office(gateway, admin, channel, department.name, name, code)
    for number, (key, (title, duty)) in enumerate(DUTIES.items(), start=1):
        office.staff[key] = await post_with_staff(office, token, number, title, duty)
    return office


async def _channel(gateway: Gateway, token: str) -> Machine:
    key = ECKey.generate_key("P-256", {"kid": "counter-1", "alg": "ES256", "use": "sig"}, auto_kid=False)
    public: dict[str, Any] = key.as_dict(private=False)
    jwk = resources_pb2.JsonWebKey(
        kid="counter-1", kty="EC", alg="ES256", use="sig", crv="P-256", x=str(public["x"]), y=str(public["y"])
    )
    client = resources_pb2.Client(
        display_name="政务大厅叫号与受理系统",
        kind=resources_pb2.CLIENT_KIND_CHANNEL,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[jwk]),
        assertion_right=resources_pb2.AssertionRight(
            actor_kinds=[options_pb2.ACTOR_KIND_PERSON, options_pb2.ACTOR_KIND_STAFF], max_assurance=4
        ),
    )
    request = client_service_pb2.CreateClientRequest(client=client, client_id="hall-counter", request_id=request_id())
    made = await gateway.using(token).call(request, resources_pb2.Client)
    return Machine(made.name, key)


async def post_with_staff(
    office: Office, token: str, number: int, title: str, duty: resources_pb2.Duty.ValueType
) -> str:
    """Makes a post with one duty and a member of staff on it; returns `staff/…`."""
    gateway = office.gateway
    post = await gateway.using(token).identity.create_post(
        parent=office.department, post=resources_pb2.Post(display_name=title, duties=[duty])
    )
    staff = await gateway.using(token).identity.create_staff(
        staff=resources_pb2.Staff(
            staff_number=f"{gateway.code}{number:04d}",
            department=office.department,
            person=await _colleague(office, token, number),
        )
    )
    assign = staff_service_pb2.AssignStaffRequest(name=staff.name, post=post.name, request_id=request_id())
    assign.start_time.FromDatetime(LONG_AGO)
    # Once there are two administrators the installer's client gives no posts any more, and the security officer does.
    giver = await office.token_of("security") if "administration2" in office.staff else token
    await gateway.using(giver).call(assign, resources_pb2.Staff)
    return staff.name


async def _colleague(office: Office, token: str, number: int) -> str:
    """Opens the account of a human being who begins to work here, seen by the window, the first by the administrator."""
    gateway = office.gateway
    token = await office.token_of("receiving") if "receiving" in office.staff else token
    drawn = SyntheticPopulation(f"staff {gateway.code} {number}", province=gateway.code[:2]).person()
    document = common_pb2.IdentityDocument(type_code="111", number=drawn.citizen_id)
    made = await open_person(
        gateway,
        token,
        resources_pb2.Person(
            full_name=drawn.name,
            documents=[resources_pb2.HeldDocument(document=document)],
        ),
    )
    return made.name


async def open_person(gateway: Gateway, token: str, person: resources_pb2.Person) -> resources_pb2.Person:
    """Opens a person's account and checks the real name in person (assurance 4)."""
    made = await gateway.using(token).identity.create_person(person=person)
    check = verification_service_pb2.RecordVerificationRequest(person=made.name, request_id=request_id())
    check.in_person.place = f"{gateway.name}政务服务大厅"
    await gateway.using(token).call(check, resources_pb2.Verification)
    return made


async def import_calendars(office: Office) -> None:
    """Imports the State Council's calendars into the region, as the notices state them."""
    for notice in notices.shipped().values():
        request = calendar_service_pb2.ImportCalendarRequest(
            year=notice.year,
            festivals=map(_festival, notice.festivals),
            source=notice.source,
            request_id=request_id(),
        )
        token = await office.admin_token()
        await office.gateway.using(token).call(request, calendar_service_pb2.Calendar)


def _festival(festival: Festival) -> calendar_service_pb2.Festival:
    return calendar_service_pb2.Festival(
        display_name=festival.name,
        start_date=date_message(festival.first_day),
        end_date=date_message(festival.last_day),
        swapped_dates=map(date_message, festival.swapped_days),
        make_up_dates=map(date_message, festival.make_up_workdays),
    )


async def make_seal(office: Office) -> None:
    """Makes the bureau's official seal, which the licence service may use."""
    gateway = office.gateway
    seal = seal_resources.Seal(
        display_name=f"{office.department_name}电子公章",
        kind=seal_resources.SEAL_KIND_OFFICIAL,
        rank=seal_resources.SEAL_RANK_COUNTY,
        owner=office.department,
        owner_uscc=office.uscc,
        round=seal_resources.RoundSeal(arc_text=office.department_name),
        users=[seal_resources.SealUser(subject="services/license")],
    )
    seal.start_time.FromDatetime(LONG_AGO)
    seal.end_time.FromDatetime(LONG_AHEAD)
    request = seal_service_pb2.CreateSealRequest(seal=seal, request_id=request_id())
    token = await office.token_of("custody")
    office.seal = (await gateway.using(token).call(request, seal_resources.Seal)).name


def _text(most: int) -> value_pb2.ValueType:
    return value_pb2.ValueType(text_type=value_pb2.TextType(max_length=most))


_CAPITAL = value_pb2.ValueType(decimal_type=value_pb2.DecimalType(scale=2, minimum="0", unit="CNY"))
_DAY = value_pb2.ValueType(date_type=value_pb2.DateType())


async def publish_licence_type(office: Office, kind: LicenceKind) -> None:
    """Creates and publishes a licence type with the face fields that all of the demo's licences have."""
    gateway, token = office.gateway, await office.admin_token()
    drafted = license_resources.LicenseType(
        code=f"{office.uscc}{kind.serial}",
        display_name=kind.name,
        defining_authority=office.department_name,
        holder_category=license_resources.HOLDER_CATEGORY_ANY,
        validity_months=kind.months,
        page_layout=license_resources.PAGE_LAYOUT_A4_LANDSCAPE,
        face_fields=[
            license_resources.FaceField(key="KZ_JYCS", label="经营场所", required=True, type=_text(100)),
            license_resources.FaceField(key="KZ_JYFW", label="经营范围", type=_text(200)),
            license_resources.FaceField(key="KZ_ZCZB", label="注册资本", type=_CAPITAL),
            license_resources.FaceField(key="KZ_CLRQ", label="成立日期", type=_DAY),
        ],
    )
    made = await gateway.using(token).license.create_license_type(license_type=drafted)
    publish = license_type_service_pb2.PublishLicenseTypeRequest(
        name=made.name, etag=made.etag, request_id=request_id()
    )
    await gateway.using(token).call(publish, license_resources.LicenseType)
    office.licence_types[kind.serial] = made.name


async def publish_service_item(office: Office, item: DemoItem, receiving_region: str = "") -> None:
    """Creates and publishes a service item; with ``receiving_region`` it stands on the cross-region list for it."""
    gateway, token = office.gateway, await office.admin_token()
    content = _item_content(office, item)
    if receiving_region:
        content.cross_region.mode = case_resources.CROSS_REGION_MODE_COLLECTED
        content.cross_region.regions.append(receiving_region)
        content.materials.extend(_cross_region_materials())
    drafted = item_service_pb2.ServiceItem(content=content)
    request = item_service_pb2.CreateServiceItemRequest(service_item=drafted, request_id=request_id())
    made = await gateway.using(token).call(request, item_service_pb2.ServiceItem)
    publish = item_service_pb2.PublishServiceItemRequest(name=made.name, etag=made.etag, request_id=request_id())
    await gateway.using(token).call(publish, item_service_pb2.ServiceItem)
    office.items[item.number] = made.name


def _results(office: Office, item: DemoItem) -> list[item_service_pb2.ItemResult]:
    if item.licence is None:
        return []
    licence_type = office.licence_types[item.licence.serial]
    return [item_service_pb2.ItemResult(kind=item_service_pb2.ITEM_RESULT_KIND_LICENSE, license_type=licence_type)]


def _item_content(office: Office, item: DemoItem) -> item_service_pb2.ItemContent:
    code = task_code(office.uscc, item)
    promised = 10 if item is CONVENIENCE_STORE else 2
    return item_service_pb2.ItemContent(
        display_name=item.name,
        basic_code=code[-12:],
        task_code=code,
        category=item.category,
        type=item_service_pb2.ITEM_TYPE_LICENSE if item.licence else item_service_pb2.ITEM_TYPE_OTHER_POWER,
        exercise_level=item_service_pb2.EXERCISE_LEVEL_COUNTY,
        department=office.department,
        applicant_kinds=[
            party_pb2.PARTY_KIND_PERSON,
            party_pb2.PARTY_KIND_ENTERPRISE,
            party_pb2.PARTY_KIND_SOCIAL_ORGANIZATION,
        ],
        handling_kind=item_service_pb2.HANDLING_KIND_PROMISED,
        statutory_limit=working_days(20),
        promised_limit=working_days(promised),
        channels=[
            case_resources.CHANNEL_WINDOW,
            case_resources.CHANNEL_WEB,
            case_resources.CHANNEL_MOBILE,
            case_resources.CHANNEL_KIOSK,
            case_resources.CHANNEL_OTHER_REGION,
        ],
        on_site_visits=1,
        legal_basis="《中华人民共和国行政许可法》第四十二条",
        results=_results(office, item),
        form_fields=[
            _form_field("address", "经营场所", "KZ_JYCS", _text(100), required=True),
            _form_field("scope", "经营范围", "KZ_JYFW", _text(200)),
            _form_field("capital", "注册资本", "KZ_ZCZB", _CAPITAL),
            _form_field("founded", "成立日期", "KZ_CLRQ", _DAY),
        ],
        delivery_methods=[
            case_resources.DELIVERY_METHOD_WINDOW,
            case_resources.DELIVERY_METHOD_POST,
            case_resources.DELIVERY_METHOD_DOWNLOAD,
        ],
    )


def _form_field(
    key: str, label: str, filled: str, kind: value_pb2.ValueType, *, required: bool = False
) -> item_service_pb2.FormField:
    return item_service_pb2.FormField(key=key, display_name=label, license_field=filled, type=kind, required=required)


def _cross_region_materials() -> list[item_service_pb2.MaterialRule]:
    return [
        item_service_pb2.MaterialRule(code="M1", display_name="营业执照", required=True, issuer="市场监管部门"),
        item_service_pb2.MaterialRule(code="M2", display_name="特许经营备案证书", required=True, issuer="商务部门"),
        item_service_pb2.MaterialRule(code="M3", display_name="经营场所平面图", required=True, issuer="申请人"),
    ]
