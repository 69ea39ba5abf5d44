"""To whom and over what a service item (政务服务事项) is offered."""

from dataclasses import dataclass
from enum import StrEnum

from libs.errors import reasons


class ItemState(StrEnum):
    """Where an item version stands, named as in the contract."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    SUPERSEDED = "SUPERSEDED"
    RETIRED = "RETIRED"


@dataclass(frozen=True, slots=True)
class Offer:
    """To whom and over what an item version is offered; names of the contract's enum values.

    Attributes:
        item: its resource name.
        task_code: its implementation code.
        state: where the version stands.
        applicant_kinds: whom it serves.
        channels: the ways in.
        cross_region: whether it stands on the cross-region list.
        open_regions: the regions that may take it in, by their ids; empty means every trusted region.
    """

    item: str
    task_code: str
    state: ItemState
    applicant_kinds: frozenset[str]
    channels: frozenset[str]
    cross_region: bool = False
    open_regions: frozenset[str] = frozenset()


def check_offer(offer: Offer, applicant_kind: str, channel: str) -> None:
    """Refuses a case that the item isn't offered for.

    Raises:
        FailedPrecondition: ``ITEM_NOT_PUBLISHED``, ``CASE_APPLICANT_NOT_SERVED``, ``CASE_CHANNEL_NOT_OFFERED``.
    """
    if offer.state is not ItemState.PUBLISHED:
        raise reasons.item_not_published(f"{offer.item} is {offer.state}", item=offer.item)
    if applicant_kind not in offer.applicant_kinds:
        raise reasons.case_applicant_not_served(
            f"{offer.item} does not serve {applicant_kind}", applicant_kind=applicant_kind
        )
    if channel not in offer.channels:
        raise reasons.case_channel_not_offered(f"{offer.item} is not offered over {channel}", channel=channel)


def check_open_to(offer: Offer, region: str) -> None:
    """Refuses an application from a region that the item isn't open to. Raises ``ITEM_NOT_CROSS_REGION``."""
    if not offer.cross_region or (offer.open_regions and region not in offer.open_regions):
        raise reasons.item_not_cross_region(
            f"{offer.task_code} is not open to {region}",
            task_code=offer.task_code,
            region=region,
        )
