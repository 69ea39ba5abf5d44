"""In office nobody handles what concerns themselves: accounts, names, posts, mandates and consents."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from tests.service.identity.mandates.test_guardians import approve, record
from tests.support import contracts
from tests.support.codes import Codes
from tests.support.handling import undriven
from tests.support.merging import Merging
from tests.support.refusing import asked
from tests.support.requests import minimal
from tests.support.substituting import Substitutions
from tests.support.town import FIRST, Town, reason_of, request_id
from tongban.common.v1 import party_pb2
from tongban.identity.v1 import (
    account_service_pb2,
    client_service_pb2,
    consent_service_pb2,
    consent_service_pb2_grpc,
    mandate_service_pb2,
    resources_pb2,
    staff_service_pb2,
    verification_service_pb2,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
SCAN = "materials/00000000-0000-7000-8000-000000000001"


@dataclass
class Family:
    """A member of staff with two hats, the firm that they represent, and a neighbour who acts for them.

    Attributes:
        human: the member of staff as a person.
        clerk: their token, as receiving staff.
        administrator: another token of theirs, as an administrator of another department.
        firm: whom they represent by law.
        business: the firm whom the administrator represents by law.
        neighbour: has a mandate of theirs.
        stranger: has nothing to do with any of it.
    """

    town: Town
    human: str
    clerk: str
    administrator: str
    firm: str
    business: str
    neighbour: str
    stranger: str

    async def call(self, method: Any, request: Message, answer: Any, token: str) -> Any:
        return await self.town.call(method, request, answer, token)

    async def at_window(self, person: str, **claims: str) -> str:
        """The token of somebody at another clerk's window, whom that clerk may serve."""
        return await self.town.at_window(await self.town.human_token(person), await self.town.staff_token())


@pytest_asyncio.fixture(loop_scope="module")
async def family(home: Town) -> Family:
    admin = await home.admin_token()
    human, neighbour, stranger = [await home.person() for _ in range(3)]
    firm = (await home.firm(human)).name
    await home.mandate(human, neighbour, await home.human_token(human))
    clerk = await home.make_staff(f"F-{request_id()[:8]}", admin, human)
    await home.assign(clerk.name, home.posts["receiving"], admin)
    token = await home.human_token(clerk.name)
    # Another hat, in an office of its own.
    office = staff_service_pb2.CreateDepartmentRequest(request_id=request_id())
    office.department.display_name, office.department.uscc = f"局{request_id()[:8]}", home.people.uscc("11")
    office.department.region_code = home.code
    department = (await home.call(home.offices.CreateDepartment, office, resources_pb2.Department, admin)).name
    post = staff_service_pb2.CreatePostRequest(
        parent=department,
        request_id=request_id(),
        post=resources_pb2.Post(display_name="管理", duties=[resources_pb2.DUTY_ADMINISTRATION]),
    )
    made = await home.call(home.offices.CreatePost, post, resources_pb2.Post, admin)
    boss = await home.person()
    business = (await home.firm(boss)).name
    second = resources_pb2.Staff(staff_number="1", department=department, person=boss)
    entered = staff_service_pb2.CreateStaffRequest(staff=second, request_id=request_id())
    administrator = await home.call(home.offices.CreateStaff, entered, resources_pb2.Staff, admin)
    await home.appoint(administrator.name, made.name)
    # The administrator acts for the clerk: they are near to each other.
    await home.mandate(human, boss, await home.human_token(human))
    return Family(home, human, token, await home.human_token(administrator.name), firm, business, neighbour, stranger)


async def _open(family: Family) -> None:
    organization = resources_pb2.Organization(
        display_name="自家店",
        uscc=family.town.people.uscc(),
        kind=party_pb2.PARTY_KIND_ENTERPRISE,
        legal_representative=family.human,
    )
    request = account_service_pb2.CreateOrganizationRequest(organization=organization, request_id=request_id())
    await family.call(family.town.accounts.CreateOrganization, request, resources_pb2.Organization, family.clerk)


async def _represent(family: Family) -> None:
    request = account_service_pb2.SetLegalRepresentativeRequest(
        name=family.firm, legal_representative=family.stranger, etag=FIRST, request_id=request_id()
    )
    method = family.town.accounts.SetLegalRepresentative
    await family.call(method, request, resources_pb2.Organization, family.clerk)


async def _verify(family: Family) -> None:
    request = verification_service_pb2.RecordVerificationRequest(person=family.neighbour, request_id=request_id())
    request.in_person.place = "大厅"
    await family.call(family.town.checks.RecordVerification, request, resources_pb2.Verification, family.clerk)


async def _enter(family: Family) -> None:
    member = resources_pb2.Staff(staff_number="X", department=family.town.department, person=family.human)
    request = staff_service_pb2.CreateStaffRequest(staff=member, request_id=request_id())
    await family.call(family.town.offices.CreateStaff, request, resources_pb2.Staff, family.administrator)


async def _all_staff(family: Family) -> list[resources_pb2.Staff]:
    listed = await family.call(
        family.town.offices.ListStaff,
        staff_service_pb2.ListStaffRequest(page_size=1000),
        staff_service_pb2.ListStaffResponse,
        family.administrator,
    )
    return list(listed.staff)


async def _assign(family: Family) -> None:
    own = next(each.name for each in await _all_staff(family) if each.person == family.human)
    request = staff_service_pb2.AssignStaffRequest(
        name=own, post=family.town.posts["reviewing"], request_id=request_id()
    )
    await family.call(family.town.offices.AssignStaff, request, resources_pb2.Staff, family.administrator)


async def _approve(family: Family) -> None:
    town = family.town
    colleague, _ = await town.administrators()
    found = [each for each in await _all_staff(family) if each.person == family.human]
    own = next(each for each in found if each.department == town.department)
    custody = (await town.make_post(f"印{request_id()[:8]}", [resources_pb2.DUTY_SEAL_CUSTODY], colleague)).name
    waits = await town.assign(own.name, custody, colleague)
    await town.stand_behind(waits, custody, family.administrator)


async def _own_record(family: Family) -> str:
    found = [each for each in await _all_staff(family) if each.person == family.human]
    return next(each.name for each in found if each.department == family.town.department)


async def _substitute(family: Family) -> None:
    town = family.town
    arranged = Substitutions(town)
    await arranged.arrange(
        town.staff["reviewing"], await _own_record(family), town.posts["reviewing"], token=family.administrator
    )


async def _approve_substitute(family: Family) -> None:
    town, arranged, own = family.town, Substitutions(family.town), await _own_record(family)
    admin = await town.admin_token()
    taken = staff_service_pb2.UnassignStaffRequest(name=own, post=town.posts["receiving"], request_id=request_id())
    await town.call(town.offices.UnassignStaff, taken, resources_pb2.Staff, admin)
    waits = await arranged.arrange(town.staff["auditing"], own, town.posts["auditing"])
    await arranged.approve(waits, family.administrator)


async def _window(family: Family) -> str:
    """The stranger at the clerk's own window: nothing forbids that yet."""
    return await family.town.at_window(await family.town.human_token(family.stranger), family.clerk)


async def _mandate(family: Family) -> None:
    # Signed at the clerk's window, and it makes the clerk an agent.
    await family.town.mandate(family.stranger, family.human, await _window(family))


async def _given(family: Family) -> resources_pb2.Mandate:
    """A mandate of the stranger for the clerk, given elsewhere after the clerk's token was made."""
    return await family.town.mandate(
        family.stranger, family.human, await family.town.human_token(family.stranger), acceptance_required=True
    )


async def _accept(family: Family) -> None:
    window = await _window(family)
    given = await _given(family)
    request = mandate_service_pb2.AcceptMandateRequest(name=given.name, etag=given.etag, request_id=request_id())
    await family.call(family.town.mandates.AcceptMandate, request, resources_pb2.Mandate, window)


async def _revoke(family: Family) -> None:
    window = await _window(family)
    request = mandate_service_pb2.RevokeMandateRequest(
        name=(await _given(family)).name, reason="不用了", request_id=request_id()
    )
    await family.call(family.town.mandates.RevokeMandate, request, resources_pb2.Mandate, window)


async def _record_guardian(family: Family) -> None:
    await record(family.town, family.stranger, family.human, family.clerk)


async def _approve_guardian(family: Family) -> None:
    waits = await record(family.town, family.stranger, family.human)
    await approve(family.town, waits.name, family.clerk)


def _consent(family: Family, subject: str) -> consent_service_pb2.GrantConsentRequest:
    draft = resources_pb2.Consent(
        subject=subject,
        recipient=family.town.department,
        purpose_code="IDENTITY_CHECK",
        purpose="核验",
        resources=["licenses/-"],
        method=resources_pb2.CONSENT_METHOD_WINDOW,
        evidence=SCAN,
    )
    draft.end_time.FromSeconds(int(family.town.service.process.clock.now().timestamp()) + 3600)
    return consent_service_pb2.GrantConsentRequest(consent=draft, request_id=request_id())


async def _grant(family: Family) -> None:
    stub = consent_service_pb2_grpc.ConsentServiceStub(family.town.service.channel)
    window = await _window(family)
    await family.call(stub.GrantConsent, _consent(family, family.firm), resources_pb2.Consent, window)


async def _withdraw(family: Family) -> None:
    stub = consent_service_pb2_grpc.ConsentServiceStub(family.town.service.channel)
    draft = _consent(family, family.firm)
    draft.consent.method = resources_pb2.CONSENT_METHOD_ONLINE
    draft.consent.ClearField("evidence")
    given = await family.call(
        stub.GrantConsent, draft, resources_pb2.Consent, await family.town.human_token(family.human)
    )
    request = consent_service_pb2.WithdrawConsentRequest(name=given.name, request_id=request_id())
    await family.call(stub.WithdrawConsent, request, resources_pb2.Consent, await _window(family))


def _of_business(family: Family) -> client_service_pb2.CreateClientRequest:
    client = resources_pb2.Client(
        display_name="自家系统",
        kind=resources_pb2.CLIENT_KIND_SYSTEM,
        owner=family.business,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_CLIENT_SECRET,
        scopes=["license.licenseTypes.get"],
    )
    return client_service_pb2.CreateClientRequest(client=client, request_id=request_id())


async def _system(family: Family) -> resources_pb2.Client:
    admin = await family.town.admin_token()
    made = await family.call(family.town.clients.CreateClient, _of_business(family), resources_pb2.Client, admin)
    return cast("resources_pb2.Client", made)


async def _make_client(family: Family) -> None:
    method = family.town.clients.CreateClient
    await family.call(method, _of_business(family), resources_pb2.Client, family.administrator)


async def _approve_client(family: Family) -> None:
    made = await _system(family)
    request = client_service_pb2.ApproveClientRequest(name=made.name, etag=made.etag, request_id=request_id())
    await family.call(family.town.clients.ApproveClient, request, resources_pb2.Client, family.administrator)


async def _rotate(family: Family) -> None:
    made = await _system(family)
    request = client_service_pb2.RotateClientKeyRequest(name=made.name, etag=made.etag, request_id=request_id())
    await family.call(family.town.clients.RotateClientKey, request, resources_pb2.Client, family.administrator)


async def _resume(family: Family) -> None:
    request = client_service_pb2.ResumeClientRequest(name=(await _system(family)).name, request_id=request_id())
    await family.call(family.town.clients.ResumeClient, request, resources_pb2.Client, family.administrator)


async def _update_client(family: Family) -> None:
    made = await _system(family)
    client = resources_pb2.Client(name=made.name, display_name="自家系统")
    request = client_service_pb2.UpdateClientRequest(client=client, etag=made.etag, request_id=request_id())
    request.update_mask.paths.append("display_name")
    await family.call(family.town.clients.UpdateClient, request, resources_pb2.Client, family.administrator)


async def _refuse_client(family: Family) -> None:
    made = await _system(family)
    request = client_service_pb2.RefuseClientRequest(
        name=made.name, reason="不需要", etag=made.etag, request_id=request_id()
    )
    await family.call(family.town.clients.RefuseClient, request, resources_pb2.Client, family.administrator)


async def _bind(family: Family) -> None:
    await Codes(family.town).bind(family.human, request_id()[:8].upper(), token=family.clerk)


async def _unbind(family: Family) -> None:
    codes = Codes(family.town)
    made = await codes.bind(family.human, request_id()[:8].upper(), token=await family.town.admin_token())
    await codes.unbind(made.name, family.clerk)


async def _scan(family: Family, scene: str) -> None:
    codes = Codes(family.town)
    await codes.scan(scene, await codes.shown(family.human), family.clerk)


async def _certify(family: Family) -> None:
    request: Any = asked("CertifyStaff", await _own_record(family), FIRST)
    await family.call(family.town.offices.CertifyStaff, request, resources_pb2.Staff, family.administrator)


def _on_account(rpc: str, whose: str = "human") -> Callable[[Family], Awaitable[None]]:
    """A step on the clerk's own account, or on that of their firm."""

    async def drive(family: Family) -> None:
        method = next(each for each in contracts.methods() if each.descriptor.name == rpc)
        request: Any = minimal(method.descriptor.input_type)
        request.name, request.request_id = getattr(family, whose), request_id()
        await family.call(getattr(family.town.accounts, rpc), request, resources_pb2.Person, family.clerk)

    return drive


DRIVES: dict[str, Callable[[Family], Awaitable[Any]]] = {
    "CreatePersonMerge": lambda family: Merging(family.town).ask(family.human, family.stranger, family.clerk),
    "ApprovePersonMerge": lambda family: Merging(family.town).approve_of(family.human, family.clerk),
    "RefusePersonMerge": lambda family: Merging(family.town).refuse_of(family.human, family.clerk),
    "CertifyStaff": _certify,
    "CreateOrganization": _open,
    "SetLegalRepresentative": _represent,
    "AddDocument": _on_account("AddDocument"),
    **{
        rpc: _on_account(rpc)
        for rpc in (
            "RemoveDocument",
            "SetContactPoints",
            "StartContactVerification",
            "ConfirmContactVerification",
            "ClosePerson",
        )
    },
    "CloseOrganization": _on_account("CloseOrganization", "firm"),
    "RecordVerification": _verify,
    "CreateStaff": _enter,
    "AssignStaff": _assign,
    "ApproveStaff": _approve,
    "CreateSubstitution": _substitute,
    "ApproveSubstitution": _approve_substitute,
    "CreateMandate": _mandate,
    "AcceptMandate": _accept,
    "RevokeMandate": _revoke,
    "RecordGuardian": _record_guardian,
    "ApproveGuardian": _approve_guardian,
    "GrantConsent": _grant,
    "WithdrawConsent": _withdraw,
    "CreateClient": _make_client,
    "ApproveClient": _approve_client,
    "RotateClientKey": _rotate,
    "ResumeClient": _resume,
    "UpdateClient": _update_client,
    "RefuseClient": _refuse_client,
    "BindCredential": _bind,
    "UnbindCredential": _unbind,
    "ScanVisitCode": partial(_scan, scene="Visit"),
    "ScanOfficeCode": partial(_scan, scene="Office"),
}


async def test_every_step_that_the_contract_says_is_driven() -> None:
    assert undriven("tongban.identity.v1", DRIVES) == set()


@pytest.mark.parametrize("verb", DRIVES)
async def test_nobody_handles_what_concerns_themselves(family: Family, verb: str) -> None:
    assert await reason_of(DRIVES[verb](family)) == "ACTING_ON_SELF"


async def test_who_acts_for_a_clerk_is_not_served_at_their_window(family: Family) -> None:
    assert (
        await reason_of(family.town.at_window(await family.town.human_token(family.neighbour), family.clerk))
        == "ACTING_ON_SELF"
    )
