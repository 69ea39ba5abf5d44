"""A person's own licences in several regions, as one list."""

from typing import Any

from libs.access.actor import Actor
from libs.ids import names
from libs.lists.of_regions import ListOfRegions
from services.license.core.messages import shorten
from services.license.core.parts import Parts
from services.license.licenses import store
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1.license_service_pb2_grpc import LicenseServiceStub


def licenses_of_regions(parts: Parts) -> ListOfRegions[resources.License]:
    """Makes the list, which asks for a holder of this region as other regions call them."""

    def whole(request: Any) -> None:
        if request.holder:
            request.holder = str(names.parse(request.holder, "holder").absolute(parts.home))

    return ListOfRegions(
        home=parts.home,
        pages=parts.pages,
        regions=lambda: parts.regions.known,
        method=lambda to: LicenseServiceStub(to).ListLicenses,
        answer=pb.ListLicensesResponse,
        row=resources.License,
        rows="licenses",
        listed=store.LISTED,
        beside=("case", "issuer_department"),
        own=_own,
        shorten=shorten,
        whole=whole,
    )


def _own(license_: resources.License, actor: Actor) -> bool:
    return not actor.speaks_for.isdisjoint(holder.subject for holder in license_.holders)
