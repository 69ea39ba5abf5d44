"""Resource names (AIP-122): ``persons/<id>`` at home, ``//341500/persons/<id>`` wherever another region's may stand."""

import re
from dataclasses import dataclass

from libs.errors import invalid_field, reasons
from libs.ids.region import REGION_ID
from libs.ids.uuid7 import is_uuid7

_NAME = re.compile(
    rf"(?://(?P<region>{REGION_ID})/)?(?P<collection>[a-z][A-Za-z0-9]{{0,62}})/(?P<id>[A-Za-z0-9][A-Za-z0-9._~-]{{0,127}})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class ResourceName:
    """The name of a resource.

    Attributes:
        region: the id of the region that owns it, or "" where the name is relative to the reader's own.
        collection: the plural in lower camel case, such as ``persons``.
        id: the last part, usually a UUIDv7.
    """

    region: str
    collection: str
    id: str

    def __str__(self) -> str:
        return f"//{self.region}/{self.local}" if self.region else self.local

    @property
    def local(self) -> str:
        """The name without its region: ``persons/<id>``."""
        return f"{self.collection}/{self.id}"

    def is_foreign(self, home: str) -> bool:
        """Says whether the resource belongs to another region than ``home`` (an id)."""
        return self.region not in ("", home)

    def relative_to(self, home: str) -> "ResourceName":
        """Returns the name as ``home`` writes it: without region if it is home's own."""
        return self if self.is_foreign(home) else ResourceName("", self.collection, self.id)

    def absolute(self, home: str) -> "ResourceName":
        """Returns the name with its region, taking ``home`` where it had none."""
        return ResourceName(self.region or home, self.collection, self.id)


def parse(text: str, field: str, collection: str | None = None) -> ResourceName:
    """Reads a resource name, of this or of another region.

    Args:
        text: what the request holds.
        field: the request's field, for the error.
        collection: the collection that the name must be of, if only one will do.

    Raises:
        InvalidArgument: FIELD_INVALID with rule ``resource_name.shape`` or ``resource_name.collection``.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise invalid_field(field, "resource_name.shape", "must be collection/id or //region/collection/id")
    if collection is not None and match["collection"] != collection:
        raise invalid_field(field, "resource_name.collection", f"must name one of {collection}")
    return ResourceName(match["region"] or "", match["collection"], match["id"])


def parse_local(text: str, field: str, collection: str, home: str) -> ResourceName:
    """Reads the name of a resource of ``home`` whose id is a UUIDv7, and returns it without region.

    Raises:
        InvalidArgument: FIELD_INVALID as ``parse``, or with rule ``resource_name.uuid``; REGION_MISMATCH if the
            resource belongs to another region.
    """
    name = parse(text, field, collection)
    if name.is_foreign(home):
        raise reasons.region_mismatch(f"{field} names a resource of another region", region=name.region)
    if not is_uuid7(name.id):
        raise invalid_field(field, "resource_name.uuid", "the id must be a UUIDv7 in lower case")
    return name.relative_to(home)
