"""A person's own licences in several regions, as one list (一网通办): each region is asked in the person's own name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from libs.access.actor import Actor
from libs.access.context import for_abroad
from libs.db.paging import MAX_PAGE_SIZE, page_size
from libs.errors import invalid_field, reasons
from libs.ids import names
from libs.ids.uuid7 import uuid7
from libs.lists import regional
from libs.lists.regional import Ask
from libs.rpc.call import Call
from services.license.core import leaving
from services.license.core.authorization import STATED
from services.license.core.parts import Parts
from tongban.common.v1 import common_pb2
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources


def check(request: pb.ListLicensesRequest, actor: Actor, home: str) -> None:
    """Raises FIELD_INVALID of ``regions`` where others than people ask, or for more than what is their own."""
    if not actor.person or actor.delegate or actor.region:
        raise invalid_field(
            "regions", "regions.own", "people of this region ask others by themselves, for what is theirs"
        )
    if request.case or request.issuer_department:
        raise invalid_field("regions", "regions.holder", "other regions know no case and no department of this one")
    if home in request.regions:
        raise invalid_field("regions", "regions.home", "this region comes first in any case")


@dataclass(frozen=True, slots=True)
class LicensesOfRegions:
    """Reads the pages."""

    parts: Parts

    async def page(
        self, request: pb.ListLicensesRequest, call: Call, about: str, home: Ask[resources.License]
    ) -> pb.ListLicensesResponse:
        """Reads a page of this region's licences, as ``home`` gives them, and then those of the regions that are asked."""
        pages = self.parts.pages
        begin = regional.place_of(pages, request)
        asked = pb.ListLicensesRequest()
        asked.CopyFrom(request)
        asked.use_context.transaction_id = begin.transaction or request.use_context.transaction_id or uuid7()
        context = await leaving.noted(self.parts, call, asked, about, STATED)
        others = {region: self._of(region, request, context, call) for region in request.regions}
        found = await regional.page(home, others, begin, page_size(request.page_size, MAX_PAGE_SIZE))
        return pb.ListLicensesResponse(
            licenses=found.rows,
            unreachable=found.unreachable,
            next_page_token=regional.token_of(pages, request, found.following, context.transaction_id),
        )

    def _of(
        self, region: str, request: pb.ListLicensesRequest, context: common_pb2.UseContext, call: Call
    ) -> Ask[resources.License]:
        """Asks a region for a page of what the caller holds there, and gives its rows their whole names."""

        async def ask(token: str, size: int) -> tuple[Sequence[resources.License], str]:
            wanted = pb.ListLicensesRequest(
                page_size=size,
                page_token=token,
                filter=request.filter,
                order_by=request.order_by,
                use_context=for_abroad(context, self.parts.home, region),
                holder=str(names.parse(request.holder, "holder").absolute(self.parts.home)) if request.holder else "",
            )
            found, receipt = await self.parts.regions.listed(region, wanted, call.actor)
            rows = [_of_region(each, region) for each in found.licenses]
            call.pass_on(receipt)
            return rows, found.next_page_token

        return ask


def _of_region(license_: resources.License, region: str) -> resources.License:
    name = names.parse(license_.name, "name", "licenses")
    if name.region not in ("", region):
        raise reasons.dependency_unavailable(
            f"//{region} shows what is not its own", retry_after=60.0, dependency=f"//{region}"
        )
    license_.name = str(replace(name, region=region))
    return license_
