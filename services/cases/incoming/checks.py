"""What another region's window sends must be what the token proves, and what the item here is open to."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from libs.access.actor import Actor
from libs.errors import NotFound, reasons
from libs.ids import names
from services.cases.core.access import not_owner
from services.cases.core.applications import agent_of, check_form, check_materials, check_parties, check_sign_in
from services.cases.core.items import PARTY_KINDS, ItemVersion
from services.cases.core.offers import check_offer, check_open_to
from services.cases.core.parts import Parts
from services.cases.core.transfers import TransferRow
from services.cases.integrations.identity import mandate_not_covering
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import resources_pb2 as resources
from tongban.common.v1 import party_pb2

OTHER_REGION = "OTHER_REGION"


async def item_of(parts: Parts, application: pb.TransferApplication) -> ItemVersion:
    """Returns the item of an application; raises ITEM_NOT_PUBLISHED."""
    try:
        return await parts.items.in_force(application.task_code)
    except NotFound as error:
        raise reasons.item_not_published(
            f"{application.task_code} is not in force here", item=application.task_code
        ) from error


async def check_application(parts: Parts, application: pb.TransferApplication, actor: Actor) -> None:
    """Checks an application against the token, the item, and what identity there says of the parties."""
    item, agent = await item_of(parts, application), agent_of(application)
    _check_item(item, application, actor.region)
    check_parties(application.applicant, agent, parts.workflow.today())
    check_materials(item, application.materials, paper_allowed=True)
    check_form(item, application.form_values)
    _check_token(application, agent, actor)
    check_sign_in(item, actor, _asked(actor))
    # By the word of identity there, whatever the service of that region writes.
    await parts.identity.check_parties(application.applicant, agent)
    if agent is not None and agent.mandate:
        await parts.identity.check_mandate(agent.subject, application.applicant.subject, agent.mandate, item.codes)


def _check_item(item: ItemVersion, application: pb.TransferApplication, region: str) -> None:
    check_open_to(item.offer(), region)
    # The cross-region list is what admits it; the item's own channels are those of people here.
    offer = replace(item.offer(), channels=frozenset({OTHER_REGION}))
    check_offer(offer, PARTY_KINDS.name(application.applicant.kind), OTHER_REGION)
    if application.mode != item.content.cross_region.mode:
        raise reasons.item_not_cross_region(
            "the item is open in another mode", task_code=application.task_code, region=region
        )


def check_holders(materials: Iterable[resources.MaterialReference], region: str) -> None:
    """Every material must lie in the region that sends it: what a third region holds it can't vouch for."""
    for material in materials:
        source = material.WhichOneof("source")
        held_by = names.parse(getattr(material, source), "materials").region if source and source != "paper" else region
        if held_by != region:
            raise reasons.region_mismatch("a material is held by another region", region=held_by)


def _check_token(application: pb.TransferApplication, agent: party_pb2.Agent | None, actor: Actor) -> None:
    """The home region vouches for one person, one firm and one mandate: the application must name just these."""
    if application.applicant.subject not in actor.known_as(actor.organization or actor.subject):
        raise not_owner(application.applicant.subject)
    if agent is not None and agent.subject not in actor.known_as(actor.subject):
        raise not_owner(agent.subject)
    mandate = agent.mandate if agent else ""
    if mandate != actor.mandate:
        raise mandate_not_covering(mandate, application.task_code, "the token names another mandate")
    clerks = _actors(actor.claims.get("act"))
    if clerks and f"//{actor.region}/{application.operator}" not in clerks:
        raise not_owner(application.operator)


def _asked(actor: Actor) -> int:
    """Returns when the person asked for the application to be sent, by the word of identity there.

    A region of before does not tell: there it is when the message came, also where it was kept and is judged later.
    """
    return int(actor.claims.get("delegated", 0)) or actor.issued


def _actors(act: Any) -> list[str]:
    """Returns everybody in the claim ``act``, the last actor first (RFC 8693, 4.1)."""
    found = []
    while isinstance(act, Mapping):
        found.append(str(act.get("sub", "")))
        act = act.get("act")
    return found


def bound_transfer(actor: Actor) -> str:
    """Returns the transfer that a token is bound to, or an empty string."""
    return str(actor.claims.get("transfer", ""))


def require_same_transfer(row: TransferRow, actor: Actor) -> None:
    """Raises DELEGATION_MISMATCH: only a token that is bound as the application's was is good for what comes later."""
    bound = bound_transfer(actor)
    if bound != row.peer_transfer:
        raise reasons.delegation_mismatch("the token is for another transfer", transfer=bound)
