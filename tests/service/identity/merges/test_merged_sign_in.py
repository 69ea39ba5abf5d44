"""What somebody was signed in to ends with the account that is taken in; at the other one they sign in with what is its own."""

import pytest

from tests.support import sql
from tests.support.codes import Codes
from tests.support.held import Papers
from tests.support.merging import Merging
from tests.support.signing_in import Browser, enrolled, enrollment, filled, relying_party
from tests.support.town import Town, request_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_sessions_and_cards_end_and_the_number_leads_to_the_one_that_lives_on(home: Town) -> None:
    merging, merged = Merging(home), await enrolled(home)
    kept = await merging.account((await Papers(home).clear(merged)).full_name, merging.passport())
    party, codes = await relying_party(home), Codes(home)
    card = request_id()[:8].upper()
    await codes.bind(merged, card, token=await home.staff_token())
    before = Browser(home, party)
    tokens = await before.signed_in(merged, scope="openid offline_access")
    await merging.merge(kept, merged)
    refused = await before.refresh(tokens["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    async with home.service.process.database.read() as connection:
        sessions = await sql.scalars(connection, f"SELECT state FROM sessions WHERE person = '{merged}'")
    assert [*sessions] == ["ENDED"]
    # The card is free, and the number leads to the account that lives on, where the old password opens nothing.
    await codes.bind(kept, card, token=await home.staff_token())
    home.numbers[kept] = home.numbers[merged]
    again = Browser(home, party)
    await again.begin()
    assert "/oauth/sign-in" in (await again.sign_in(kept)).text
    password = "another long secret 9"
    await home.http.post("/oauth/enroll", data=filled(await enrollment(home, kept), password))
    after = Browser(home, party)
    await after.begin(scope="openid offline_access")
    answer = await after.sign_in(kept, password)
    assert answer.status_code in (200, 302, 303)
    code = await after.code(kept, scope="openid offline_access")
    given = (await after.tokens(code)).json()
    assert (await merging.claims(given["access_token"]))["former"] == [merged]
    renewed = (await after.refresh(given["refresh_token"])).json()
    assert (await merging.claims(renewed["access_token"]))["former"] == [merged]
    for each in (before, again, after):
        await each.close()
