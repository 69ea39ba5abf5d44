"""Who somebody is: the few shapes that a subject has, in every token of every region. All else is nobody.

``persons/<uuid>``, ``staff/<uuid>``, ``clients/<id>``, ``services/<name>``, with ``//<region>/`` in front where they
belong to another region. Clients have no standing outside their own.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from libs.ids.region import REGION_ID

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_REGION = rf"(?://(?P<region>{REGION_ID})/)?"
_SUBJECT = re.compile(
    rf"{_REGION}(?P<kind>persons|staff|clients|services)/(?P<id>{_UUID}|[a-z0-9][a-z0-9-]{{2,62}})", re.ASCII
)
_IDS = {
    "persons": re.compile(_UUID, re.ASCII),
    "staff": re.compile(_UUID, re.ASCII),
    "clients": re.compile(r"[a-z0-9][a-z0-9-]{2,62}", re.ASCII),
    "services": re.compile(r"[a-z]{3,30}", re.ASCII),
}
_RESOURCE = re.compile(rf"{_REGION}(?P<kind>[a-z][A-Za-z]*)/{_UUID}", re.ASCII)


class SubjectKind(StrEnum):
    """What somebody is; the value is the collection that their name begins with."""

    PERSON = "persons"
    STAFF = "staff"
    CLIENT = "clients"
    SERVICE = "services"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """Somebody.

    Attributes:
        kind: what they are.
        id: the last part of the name.
        region: the id of the region that they belong to; empty for the reader's own.
    """

    kind: SubjectKind
    id: str
    region: str = ""


def parse_subject(text: str) -> Subject:
    """Reads a subject; raises ValueError where ``text`` has none of the known shapes."""
    match = _SUBJECT.fullmatch(text)
    if match is None or _IDS[match["kind"]].fullmatch(match["id"]) is None:
        raise ValueError("no subject")
    subject = Subject(SubjectKind(match["kind"]), match["id"], match["region"] or "")
    if subject.kind is SubjectKind.CLIENT and subject.region:
        raise ValueError("clients have no standing outside their region")
    return subject


def check_named(text: str, region: str, *kinds: str) -> None:
    """Raises ValueError unless ``text`` is exactly the name of a resource of ``region`` (empty: our own) of ``kinds``."""
    match = _RESOURCE.fullmatch(text)
    if match is None or match["kind"] not in kinds or (match["region"] or "") != region:
        raise ValueError("no name of this kind and region")
