"""What changes of a licence is told to the department that issued it, and to the machine that applied for it."""

from tests.service.license.conftest import CASE, OTHER_DEPARTMENT, License
from tests.support.fakes_license import DEPARTMENT
from tests.support.following import Follower


async def test_who_issued_and_who_applied_follow_a_licence_and_nobody_else(licensing: License) -> None:
    follower = Follower(licensing.service)
    await licensing.works_on(CASE, DEPARTMENT, actor="clients/partner")
    kind = await licensing.license_type()
    issued = await licensing.issue(licensing.order(kind.name))
    await licensing.revoke(issued.name)
    await follower.take_up()

    def token(subject: str, actor: str, scope: str = "license.* events.changes.list", **claims: str) -> str:
        return licensing.token(subject, actor, scope=scope, **claims)

    staff = "staff/00000000-0000-7000-8000-0000000000b9"
    both = ["issued", "revoked"]
    assert await follower.told(token(staff, "STAFF", dept=DEPARTMENT), issued.name) == both
    assert await follower.told(token("clients/partner", "CLIENT"), issued.name) == both
    assert await follower.told(token(staff, "STAFF", dept=OTHER_DEPARTMENT), issued.name) == []
    assert await follower.told(token("clients/other", "CLIENT"), issued.name) == []
    narrow = token("clients/partner", "CLIENT", "events.changes.list license.licenseTypes.get")
    assert await follower.told(narrow, issued.name) == []
    assert await follower.told(narrow, kind.name) == ["published"]
