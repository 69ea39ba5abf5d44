"""What stands in an application, whichever way it came: checks of parties, materials and form."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from libs import names as person_names
from libs.access.actor import Actor
from libs.errors import invalid_field, reasons
from libs.ids import documents, names
from libs.rpc.messages import date_of, timestamp
from libs.rpc.stages.permission import require_recent
from libs.values.checks import field_faults, is_filled
from libs.values.messages import values_of
from services.cases.core.access import at_home
from services.cases.core.cases import CaseRecord
from services.cases.core.items import ItemVersion
from services.cases.core.materials import Obligation, check_codes
from tongban.cases.v1 import exchange_service_pb2 as exchange
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import party_pb2, value_pb2

FormValues = Mapping[str, value_pb2.Value]
"""What is filled in of a form, by key."""
_FORM = "form_values"


def check_sign_in(item: ItemVersion, actor: Actor, asked: float) -> None:
    """Checks how well the item's applicants must be known, and how newly signed in.

    Args:
        item: what is applied for.
        actor: who submits.
        asked: when they asked for it, in seconds since the epoch.

    Raises:
        PermissionDenied: ASSURANCE_TOO_LOW.
        Unauthenticated: AUTHENTICATION_TOO_OLD.
    """
    content = item.content
    if actor.assurance < content.min_assurance:
        raise reasons.assurance_too_low(
            "the person must be known better for this item",
            required=str(content.min_assurance),
            actual=str(actor.assurance),
        )
    require_recent(actor, content.max_auth_age_seconds, asked)


def check_parties(applicant: party_pb2.Applicant, agent: party_pb2.Agent | None, today: date) -> None:
    """Checks what can be known of the parties without asking anybody; raises FIELD_INVALID."""
    _check_party(applicant, "applicant", today)
    is_person = applicant.kind == party_pb2.PARTY_KIND_PERSON
    if is_person != ("persons/" in applicant.subject):
        raise invalid_field("applicant.subject", "applicant.kind", "must name a person exactly for a natural person")
    if agent is not None:
        _check_party(agent, "agent", today)


def _check_party(party: party_pb2.Applicant | party_pb2.Agent, path: str, today: date) -> None:
    document = party.document
    person_names.check(party.display_name, f"{path}.display_name")
    documents.normal_number(document.type_code, document.number, f"{path}.document.number", today)


def parties_of(case: pb.Case, home: str) -> tuple[party_pb2.Applicant, party_pb2.Agent | None]:
    """Returns applicant and agent of a case as a request says it, their names as this region writes them."""
    applicant, agent = party_pb2.Applicant(), None
    applicant.CopyFrom(case.applicant)
    applicant.subject = at_home(applicant.subject, home)
    if case.HasField("agent"):
        agent = party_pb2.Agent()
        agent.CopyFrom(case.agent)
        agent.subject = at_home(agent.subject, home)
        agent.mandate = at_home(agent.mandate, home)
    return applicant, agent


def party_of(role: party_pb2.Applicant | party_pb2.Agent) -> party_pb2.Party:
    """Returns who an applicant or agent is, without phone, address and mandate."""
    kind = role.kind if isinstance(role, party_pb2.Applicant) else party_pb2.PARTY_KIND_PERSON
    return party_pb2.Party(kind=kind, subject=role.subject, display_name=role.display_name, document=role.document)


def agent_of(application: exchange.TransferApplication) -> party_pb2.Agent | None:
    """Returns the agent of an application that goes from region to region, or None."""
    return application.agent if application.HasField("agent") else None


def home_region_of(subject: str, here: str) -> str:
    """Returns the region that vouches for a subject."""
    return names.parse(subject, "subject").region or here


def check_materials(item: ItemVersion, materials: Sequence[pb.MaterialReference], *, paper_allowed: bool) -> None:
    """Checks handed-in materials.

    Raises:
        InvalidArgument: CASE_MATERIAL_UNKNOWN; FIELD_INVALID for paper that no window saw.
    """
    check_codes(item.rules, [material.code for material in materials])
    if not paper_allowed and any(material.HasField("paper") for material in materials):
        raise invalid_field("materials.paper", "paper.staff_only", "paper is taken in by staff only")


def check_form(item: ItemVersion, values: FormValues) -> None:
    """Raises FIELD_INVALID, with each value that the item's form doesn't have or that is not what it declares."""
    broken = tuple(field_faults(item.form, values_of(values, _FORM), _FORM, complete=False))
    if broken:
        raise reasons.field_invalid("the form is not filled in as the item declares it", violations=broken)


def missing_form(item: ItemVersion, values: FormValues) -> tuple[str, ...]:
    """Returns the keys of required form fields that are not filled in."""
    filled = {key for key, value in values_of(values, _FORM).items() if is_filled(value)}
    return tuple(each.key for each in item.content.form_fields if each.required and each.key not in filled)


def put_in(content: pb.Case, materials: Sequence[pb.MaterialReference], values: FormValues, now: datetime) -> None:
    """Adds materials and form values to a case, in place of those with the same code or key; a null takes one out."""
    codes = {material.code for material in materials}
    kept = [each for each in content.materials if each.reference.code not in codes]
    del content.materials[:]
    content.materials.extend(kept)
    for key, value in values.items():
        if value.HasField("null_value"):
            content.form_values.pop(key, None)
        else:
            content.form_values[key].CopyFrom(value)
    for reference in materials:
        check = pb.MATERIAL_CHECK_SEEN if reference.HasField("paper") else pb.MATERIAL_CHECK_PENDING
        content.materials.add(reference=reference, receive_time=timestamp(now), check=check)


def obligations_of(record: CaseRecord) -> tuple[Obligation, ...]:
    """Returns what was promised at an acceptance with tolerance."""
    return tuple(
        Obligation(each.material_code, date_of(each.due_date, "due_date"), each.HasField("fulfill_time"))
        for each in record.content.obligations
    )
