"""Whoever calls a region that runs, through its gateway: its residents, and its staff."""

from deploy.local.demo.office import Office
from libs.client import AsyncTongban


def resident(office: Office, person: str) -> AsyncTongban:
    """The region as somebody who was just seen at the counter (level 4)."""
    return office.gateway.human(office.channel, person, "PERSON", acr="4")


async def staff(office: Office, duty: str) -> AsyncTongban:
    """The region as its member of staff with this duty."""
    return office.gateway.using(await office.token_of(duty))
