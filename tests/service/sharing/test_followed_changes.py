"""What changes of requests and grants is told to provider and consumer, as their Get shows them; what is published to all."""

from tests.service.sharing.conftest import CONSUMER, PROVIDER, Sharing
from tests.support.following import Follower

_STRANGERS = "departments/00000000-0000-7000-8000-00000000000d"
_SCOPE = "sharing.dataResources.get sharing.dataRequests.* sharing.dataGrants.* events.changes.list"


async def test_provider_and_consumer_follow_a_grant_and_others_the_catalogue_alone(sharing: Sharing) -> None:
    follower = Follower(sharing.service)
    resource, grant = await sharing.ready()
    request = (await sharing.grant(grant)).request
    await follower.take_up()
    consumer = sharing.staff("c1", CONSUMER, _SCOPE)
    for token in (sharing.staff("p1", PROVIDER, _SCOPE), consumer):
        assert await follower.told(token, resource) == ["published"]
        assert await follower.told(token, request) == ["submitted", "granted"]
        assert await follower.told(token, grant) == ["provisioned"]
    stranger = sharing.staff("x1", _STRANGERS, _SCOPE)
    told = [await follower.told(stranger, name) for name in (resource, request, grant)]
    assert told == [["published"], [], []]
