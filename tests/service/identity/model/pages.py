"""What the model's steps do at the sign-in pages of the first region: people sign in to a client, which refreshes its tokens."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.service.identity.model.doors import Doors
from tests.service.identity.model.places import Refused
from tests.service.identity.model.rights import MACHINE
from tests.support.signing_in import Browser, enrolled, relying_party
from tongban.identity.v1 import resources_pb2


@dataclass
class Pages(Doors):
    """A client that people sign in to."""

    parties: list[str] = field(default_factory=list)

    async def make_party(self) -> None:
        """Makes the client."""
        party = await relying_party(self.home, resources_pb2.CLIENT_KIND_PARTNER, *sorted(MACHINE))
        party.now = self.home.channel.now
        name = f"clients/{party.client_id}"
        self.parties, self.signers[name] = [name], [party]

    async def with_password(self) -> str:
        """Somebody who can sign in at the pages."""
        return await enrolled(self.home)

    async def goes_to(self, party: str, person: str, scope: str, *, key: int) -> tuple[str, str]:
        """Has a person sign in to the client; returns an access token and a refresh token."""
        browser = Browser(self.home, self.signers[party][key])
        try:
            code = await browser.code(person, scope=scope)
            return _given(await browser.tokens(code))
        finally:
            await browser.close()

    async def refresh(self, party: str, token: str, *, key: int, scope: str) -> tuple[str, str]:
        """Shows a refresh token; returns an access token and the next one."""
        browser = Browser(self.home, self.signers[party][key])
        try:
            return _given(await browser.refresh(token, **({"scope": scope} if scope else {})))
        finally:
            await browser.close()


def _given(answer: httpx.Response) -> tuple[str, str]:
    if answer.status_code != 200:
        raise Refused(answer.text)
    found: Any = answer.json()
    return str(found["access_token"]), str(found["refresh_token"])
