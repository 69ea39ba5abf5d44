"""What RPCs are refused with in tests is what they declare, and all of it: a run of the service tests misses nothing of that."""

import pytest

from libs.errors import NotFound, PermissionDenied, TongbanError
from libs.rpc.call import Call
from tests.support import contracts, provoked
from tests.support.provoked import Provoked

_METHOD = next(method for method in contracts.methods() if method.name.endswith("LicenseService.RevokeLicense"))
_NAME = "license.v1.LicenseService.RevokeLicense"


async def _refused(found: Provoked, error: TongbanError) -> None:
    async def handler(_request: object, _call: Call) -> None:
        raise error

    with pytest.raises(type(error)):
        await found.stage(_METHOD, handler)(b"", None)  # type: ignore[arg-type]


async def test_what_is_not_declared_is_told_once() -> None:
    found = Provoked()
    await _refused(found, PermissionDenied("SEAL_USE_NOT_ALLOWED", "no", seal="seals/s"))
    assert found.take_undeclared() == [f"{_NAME}: SEAL_USE_NOT_ALLOWED: no"]
    assert found.take_undeclared() == []


async def test_what_is_declared_is_noted_and_what_was_not_provoked_is_missed() -> None:
    found = Provoked()
    await _refused(found, NotFound("RESOURCE_NOT_FOUND", "none", resource="licenses/l"))
    assert found.take_undeclared() == []
    assert found.seen == {(_NAME, "RESOURCE_NOT_FOUND")}
    missed = "".join(found.missing())
    assert f"{_NAME} RESOURCE_NOT_FOUND: declared" not in missed
    assert f"{_NAME} NOT_OWNER" in missed


def test_what_stages_refuse_with_is_not_asked_of_each() -> None:
    reasons = {reason for rpc, reason in provoked.declared() if rpc == _NAME}
    assert {"ACTING_ON_SELF", "REQUEST_ID_REUSED", "ETAG_MISMATCH"} <= reasons
    assert "TOKEN_MISSING" not in reasons
