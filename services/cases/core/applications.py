"""What stands in an application, whichever way it came: checks of parties, materials and form."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from libs import names as person_names
from libs.errors import invalid_field
from libs.ids import documents, names
from libs.rpc.messages import date_of, timestamp
from services.cases.core.cases import CaseRecord
from services.cases.core.items import ItemVersion
from services.cases.core.materials import Obligation, check_codes
from tongban.cases.v1 import exchange_service_pb2 as exchange
from tongban.cases.v1 import resources_pb2 as pb


def check_parties(applicant: pb.Applicant, agent: pb.Agent | None, today: date) -> None:
    """Checks what can be known of the parties without asking anybody; raises FIELD_INVALID."""
    _check_party(applicant, "applicant", today)
    is_person = applicant.type == pb.APPLICANT_TYPE_NATURAL_PERSON
    if is_person != ("persons/" in applicant.subject):
        raise invalid_field("applicant.subject", "applicant.kind", "must name a person exactly for a natural person")
    if agent is not None:
        _check_party(agent, "agent", today)


def _check_party(party: pb.Applicant | pb.Agent, path: str, today: date) -> None:
    document = party.document
    person_names.check(party.display_name, f"{path}.display_name")
    documents.normal_number(document.type_code, document.number, f"{path}.document.number", today)


def agent_of(application: exchange.TransferApplication) -> pb.Agent | None:
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


def check_form(item: ItemVersion, values: Sequence[pb.FormValue]) -> None:
    """Raises FIELD_INVALID for a key that stands twice or that the item's form doesn't have."""
    known = {form_field.key for form_field in item.content.form_fields}
    twice = any(times > 1 for times in Counter(value.key for value in values).values())
    if twice or any(value.key not in known for value in values):
        raise invalid_field("form_values.key", "form.key", "must be keys of the item's form, each at most once")


def missing_form(item: ItemVersion, values: Iterable[pb.FormValue]) -> tuple[str, ...]:
    """Returns the keys of required form fields that are not filled in."""
    filled = {value.key for value in values if not person_names.is_blank(value.value)}
    return tuple(each.key for each in item.content.form_fields if each.required and each.key not in filled)


def put_in(
    content: pb.Case, materials: Sequence[pb.MaterialReference], values: Sequence[pb.FormValue], now: datetime
) -> None:
    """Adds materials and form values to a case, in place of those with the same code or key."""
    codes, keys = {material.code for material in materials}, {value.key for value in values}
    kept = [each for each in content.materials if each.reference.code not in codes]
    filled = [each for each in content.form_values if each.key not in keys]
    del content.materials[:], content.form_values[:]
    content.materials.extend(kept)
    for reference in materials:
        check = pb.MATERIAL_CHECK_SEEN if reference.HasField("paper") else pb.MATERIAL_CHECK_PENDING
        content.materials.add(reference=reference, receive_time=timestamp(now), check=check)
    content.form_values.extend([*filled, *values])


def obligations_of(record: CaseRecord) -> tuple[Obligation, ...]:
    """Returns what was promised at an acceptance with tolerance."""
    return tuple(
        Obligation(each.material_code, date_of(each.due_date, "due_date"), each.HasField("fulfill_time"))
        for each in record.content.obligations
    )
