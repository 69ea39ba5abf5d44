"""An application as it leaves: names with their region in front, what the token speaks for, and the row of its transfer."""

import uuid
from datetime import datetime

from libs.access.actor import Actor
from libs.errors import invalid_field
from libs.values.messages import with_documents
from services.cases.core.access import (
    absolute,
    at_home,
    not_owner,
    require_impartial_abroad,
    spoken_for_abroad,
)
from services.cases.core.agents import codes_of_task
from services.cases.core.applications import FormValues, agent_of, check_parties
from services.cases.core.parts import Parts
from services.cases.core.transfers import DELEGATION, OUTBOUND, TransferRow
from services.cases.integrations.identity import mandate_not_covering
from services.cases.outgoing.convert import MODES
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import resources_pb2 as resources
from tongban.common.v1 import value_pb2


def drafted(request: pb.SendCaseTransferRequest, actor: Actor, home: str) -> pb.TransferApplication:
    """Returns the application that a window sends: the contract lets nobody else call."""
    application = pb.TransferApplication(
        task_code=request.task_code,
        mode=request.mode,
        case_id=request.case_id,
        applicant=request.applicant,
        identity_check=request.identity_check,
        form_values=absolute_values(request.form_values, home),
        title=request.title,
        materials=[absolute_material(material, home) for material in request.materials],
        department=actor.department,
        operator=actor.clerk,
    )
    application.applicant.subject = absolute(request.applicant.subject, home)
    if request.HasField("agent"):
        application.agent.CopyFrom(request.agent)
        application.agent.subject = absolute(request.agent.subject, home)
        if request.agent.mandate:
            application.agent.mandate = absolute(request.agent.mandate, home)
    return application


def absolute_material(material: resources.MaterialReference, home: str) -> resources.MaterialReference:
    """Returns a reference to a material as another region reads it."""
    copy = resources.MaterialReference()
    copy.CopyFrom(material)
    source = copy.WhichOneof("source")
    if source in {"material", "presentation"}:
        setattr(copy, source, absolute(getattr(copy, source), home))
    return copy


def absolute_values(values: FormValues, home: str) -> dict[str, value_pb2.Value]:
    """Returns form values, with their documents named as another region reads them."""
    return with_documents(values, lambda name: absolute(name, home))


def check(parts: Parts, application: pb.TransferApplication, actor: Actor, handling_region: str) -> None:
    """The token must speak for who applies: what goes over is vouched for by this region."""
    home, agent = parts.home, agent_of(application)
    if handling_region == home:
        raise invalid_field("handling_region", "transfer.other", "must be another region")
    check_parties(application.applicant, agent, parts.workflow.today())
    require_impartial_abroad(actor, home, application.applicant.subject, application.agent.subject)
    if application.applicant.subject not in spoken_for_abroad(actor, home):
        raise not_owner(application.applicant.subject)
    if agent is not None and agent.subject != absolute(actor.subject, home):
        raise not_owner(agent.subject)
    mandate = absolute(actor.mandate, home) if actor.mandate else ""
    if mandate != (agent.mandate if agent else ""):
        raise mandate_not_covering(agent.mandate if agent else "", application.task_code, "the token names another")
    if application.identity_check.assurance > actor.assurance:
        raise invalid_field("identity_check.assurance", "assurance.token", "is more than the token says")


async def check_mandate(parts: Parts, application: pb.TransferApplication) -> None:
    """Asks identity for the mandate that an application names."""
    if not application.agent.mandate:
        return
    home = parts.home
    await parts.identity.check_mandate(
        at_home(application.agent.subject, home),
        at_home(application.applicant.subject, home),
        at_home(application.agent.mandate, home),
        codes_of_task(application.task_code),
    )


def new_transfer(
    parts: Parts,
    transfer_id: str,
    request: pb.SendCaseTransferRequest,
    application: pb.TransferApplication,
    delegation: str,
    now: datetime,
) -> TransferRow:
    """Returns the transfer of an application; the delegation is the right to speak for the person about it alone."""
    return TransferRow(
        id=transfer_id,
        exchange_id=str(uuid.uuid4()),
        transaction_id=str(uuid.uuid4()),
        direction=OUTBOUND,
        peer_region=request.handling_region,
        mode=MODES.name(request.mode),
        task_code=request.task_code,
        department=application.department,
        owner_department=application.department,
        operator=application.operator,
        applicant=application.applicant.subject,
        agent=application.agent.subject,
        sealed=parts.transfers.sealed_parties(transfer_id, application),
        delegation=parts.cipher.encrypt_text(DELEGATION, transfer_id, delegation),
        create_time=now,
        update_time=now,
    )
