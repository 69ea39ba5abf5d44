"""Which permissions come with which role: data, not code. ``libs.security`` matches permissions against patterns.

A pattern is a permission ``<service>.<resources>.<verb>``, or ends in ``.*``.
"""

from collections.abc import Iterable
from types import MappingProxyType

from libs.errors import reasons
from services.identity.domain.duties import Duty

_CHECKS = ("identity.mandates.check", "identity.consents.check", "identity.regions.resolve")
"""INTERNAL methods, out of the gateway's reach, which a service calls with the token of whom it serves."""

_REGISTERS = (
    "identity.organizations.get",
    "identity.organizations.lookup",
    "identity.departments.get",
    "identity.departments.list",
    "identity.regions.get",
    "identity.regions.list",
    "license.types.get",
    "license.types.list",
    "sharing.resources.get",
    "sharing.resources.list",
    "seal.certificates.get",
    "audit.proofs.get",
)
"""What every kind of caller may read."""

_OWN_AFFAIRS = (
    "identity.persons.get",
    "identity.persons.reveal",
    "identity.mandates.create",
    "identity.mandates.accept",
    "identity.mandates.revoke",
    "identity.mandates.get",
    "identity.mandates.list",
    "identity.consents.grant",
    "identity.consents.withdraw",
    "identity.consents.get",
    "cases.cases.create",
    "cases.cases.submit",
    "cases.cases.submitCorrection",
    "cases.cases.withdraw",
    "cases.cases.get",
    "cases.cases.list",
    "cases.deliveries.create",
    "cases.deliveries.confirm",
    "cases.deliveries.get",
    "cases.ratings.create",
    "cases.ratings.get",
    "license.licenses.get",
    "license.licenses.list",
    "license.licenses.download",
    "license.materials.upload",
    "license.materials.get",
    "license.materials.download",
    "license.presentations.create",
    "license.uses.list",
)

PERSON = (*_CHECKS, *_REGISTERS, *_OWN_AFFAIRS)
"""What a person may do in their own affairs, or in those of whom they act for; a guest of another region too."""

ASSISTED_PERSON = (*PERSON, "cases.transfers.send", "cases.transfers.get", "cases.transfers.list")
"""What is done for a person at a window, with the staff in claim ``act``: it includes sending a case elsewhere."""

_FOR_A_PERSON = (
    "identity.mandates.create",
    "identity.mandates.accept",
    "identity.mandates.revoke",
    "identity.consents.grant",
    "identity.consents.withdraw",
    "license.uses.list",
)
"""What receiving staff hold to do it for the person at their window: a window's token holds nothing that theirs does not.
In their own name nobody's mandates and consents are given (the use cases ask for whom the token stands)."""

REGION = (
    *_CHECKS,
    *_REGISTERS,
    "cases.transfers.receive",
    "cases.transfers.acknowledge",
    "cases.transfers.pushProgress",
    "license.recognition.*",
    "sharing.data.queryRemote",
    "sharing.data.compareRemote",
    "sharing.requests.create",
    "sharing.requests.get",
    "sharing.requests.list",
    "sharing.requests.submit",
    "sharing.requests.prereview",
    "sharing.grants.get",
    "sharing.grants.list",
)
"""What the services and the staff of another region may do here."""

_STAFF = (
    *_CHECKS,
    *_REGISTERS,
    "identity.persons.get",
    "identity.mandates.get",
    "identity.mandates.list",
    "identity.consents.get",
    "identity.staff.get",
    "identity.posts.get",
    "cases.cases.get",
    "cases.cases.list",
    "cases.deliveries.get",
    "cases.ratings.get",
    "cases.statistics.query",
)
"""What every member of staff with a post may do."""

_CASE_WORK = (
    "cases.tasks.list",
    "cases.tasks.claim",
    "identity.persons.reveal",
    "license.licenses.get",
    "license.licenses.list",
    "license.licenses.download",
    "license.presentations.redeem",
    "license.materials.get",
    "license.materials.download",
    "license.materials.upload",
)
"""What whoever works on cases may do, at whatever step."""

_BY_DUTY = MappingProxyType(
    {
        Duty.RECEIVING: (
            *_CASE_WORK,
            *_FOR_A_PERSON,
            "identity.persons.create",
            "identity.persons.lookup",
            "identity.verifications.record",
            "identity.organizations.create",
            "identity.organizations.represent",
            "cases.cases.create",
            "cases.cases.submit",
            "cases.cases.accept",
            "cases.cases.decline",
            "cases.cases.requestCorrection",
            "cases.cases.submitCorrection",
            "cases.cases.withdraw",
            "cases.cases.close",
            "cases.deliveries.create",
            "cases.deliveries.confirm",
            "cases.ratings.create",
            "cases.transfers.send",
            "cases.transfers.get",
            "cases.transfers.list",
            "license.presentations.create",
        ),
        Duty.REVIEWING: (
            *_CASE_WORK,
            "cases.cases.review",
            "cases.cases.suspend",
            "sharing.data.query",
            "sharing.data.compare",
            "sharing.grants.get",
            "sharing.grants.list",
            "license.uses.list",
        ),
        Duty.DECIDING: (
            *_CASE_WORK,
            "cases.cases.decide",
            "cases.cases.suspend",
            "cases.cases.extend",
            "cases.cases.terminate",
            "cases.cases.close",
            "license.licenses.issue",
            "license.licenses.revoke",
            "license.uses.list",
            "seal.seals.get",
            "seal.seals.list",
            "seal.sealings.create",
            "seal.sealings.get",
        ),
        # Who keeps seals uses none: by the duty here (DECIDING and SEAL_CUSTODY exclude one another), and seal by seal there.
        Duty.SEAL_CUSTODY: ("seal.seals.*", "seal.sealings.get", "seal.sealings.list"),
        Duty.DATA: ("sharing.resources.*", "sharing.mounts.*", "sharing.requests.*", "sharing.grants.*"),
        Duty.ADMINISTRATION: (
            "identity.departments.*",
            "identity.posts.*",
            "identity.staff.*",
            "identity.clients.*",
            "identity.regions.*",
            "identity.persons.lookup",
            "cases.items.*",
            "cases.calendars.*",
            "license.types.*",
            "seal.certificates.*",
            "sharing.mounts.get",
            "events.parked.*",
        ),
        Duty.AUDITING: (
            "audit.*",
            "identity.posts.list",
            "identity.staff.list",
            "identity.clients.get",
            "identity.clients.list",
            "license.uses.list",
            "seal.seals.get",
            "seal.seals.list",
            "seal.sealings.get",
            "seal.sealings.list",
            "sharing.grants.get",
            "sharing.grants.list",
            "sharing.requests.get",
            "sharing.requests.list",
            "sharing.mounts.get",
            "cases.transfers.get",
            "cases.transfers.list",
        ),
    }
)

_SET_UP = (
    "seal.seals.*",
    "sharing.resources.*",
    "sharing.mounts.*",
    "cases.statistics.query",
)
"""What a region is set up with, beside what administering staff may do."""

_HANDED_ON = (
    "identity.persons.create",
    "identity.persons.get",
    "identity.verifications.record",
    "identity.organizations.create",
    "identity.organizations.represent",
    "identity.mandates.get",
    "identity.mandates.list",
    "identity.consents.get",
    "cases.cases.*",
    "cases.deliveries.*",
    "cases.ratings.*",
    "cases.tasks.list",
    "cases.transfers.get",
    "cases.transfers.list",
    "license.licenses.*",
    "license.materials.*",
    "license.presentations.redeem",
    "license.uses.list",
    "seal.sealings.*",
    "sharing.data.query",
    "sharing.data.compare",
    "sharing.requests.*",
    "sharing.grants.*",
    "audit.*",
)
"""What channels, systems and partners get: nobody gives a client a permission that they do not hold themselves."""

ADMINISTRATOR = tuple(sorted({*_REGISTERS, *_BY_DUTY[Duty.ADMINISTRATION], *_SET_UP, *_HANDED_ON}))
"""What the client of the first start holds. The contracts keep machines from accepting, reviewing and deciding cases."""

SERVICES = MappingProxyType(
    {
        "identity": ("identity.*",),
        "license": ("license.*", "identity.*", "seal.*", "cases.cases.get"),
        "seal": ("seal.*",),
        "cases": ("cases.*", "identity.*", "license.*", "sharing.*"),
        "sharing": ("sharing.*", "identity.*", "seal.*", "cases.calendars.read"),
    }
)
"""What the region's own services may do, after who calls whom."""


def of_duties(duties: Iterable[Duty]) -> tuple[str, ...]:
    """Returns the patterns of staff with ``duties``, sorted; none for staff without any."""
    held = set(duties)
    if not held:
        return ()
    return tuple(sorted({*_STAFF, *(pattern for duty in held for pattern in _BY_DUTY[duty])}))


def of_service(service: str) -> tuple[str, ...]:
    """Returns the patterns of a service of the region; raises PermissionDenied PEER_NOT_ALLOWED for an unknown one."""
    if service not in SERVICES:
        raise reasons.peer_not_allowed("this system is no service of the region")
    return SERVICES[service]


def of_guest(actor_kind: str) -> tuple[str, ...]:
    """Returns the patterns of somebody of another region, by the actor kind that they have here: PERSON or REGION."""
    return PERSON if actor_kind == "PERSON" else REGION
