"""What a client is told of its own use: counted or not, what ends when, and what it is warned of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.rpc.quotas import DayUse, next_day
from services.identity.api_clients.usage import client_of, usage_message, usage_name
from services.identity.core.client_certificates import ClientCertificate
from services.identity.core.client_rules import ClientKind, ClientState
from tests.unit.identity.records import client
from tongban.identity.v1 import resources_pb2 as pb

# Half past seven in the morning of 4 June in China, and still 3 June in London.
NOW = datetime(2024, 6, 3, 23, 30, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
OLD, NEW = {"kid": "old", "kty": "EC"}, {"kid": "new", "kty": "EC"}
ERP = replace(client("erp", ClientKind.PARTNER), quota_per_day=100, quota_per_second=0, jwks=[NEW], secret_mac=None)


def test_the_use_of_the_regions_day_is_told() -> None:
    told = usage_message(ERP, DayUse(7, 2), NOW)
    assert (told.name, told.client_state, told.quota.per_day) == ("clients/erp/usage", pb.CLIENT_STATE_ACTIVE, 100)
    assert (told.calls, told.refused_calls, list(told.warnings)) == (7, 2, [])
    assert (told.count_date.year, told.count_date.month, told.count_date.day) == (2024, 6, 4)
    assert told.reset_time.ToDatetime(UTC) == datetime(2024, 6, 4, 16, tzinfo=UTC)
    assert client_of(usage_name("clients/erp")) == "clients/erp"


def test_what_is_not_counted_is_not_told_to_be_none() -> None:
    told = usage_message(ERP, None, NOW)
    assert not told.HasField("calls")
    assert not told.HasField("refused_calls")
    nothing = usage_message(ERP, DayUse(0, 0), NOW)
    assert nothing.HasField("calls")
    assert nothing.HasField("refused_calls")


@pytest.mark.parametrize(
    ("calls", "per_day", "warned"), [(79, 100, False), (80, 100, True), (0, 100, False), (5, 0, False)]
)
def test_who_has_nearly_used_the_day_is_warned(calls: int, per_day: int, warned: bool) -> None:
    told = usage_message(replace(ERP, quota_per_day=per_day), DayUse(calls, 0), NOW)
    assert (pb.USAGE_WARNING_DAY_NEARLY_USED in told.warnings) is warned


@pytest.mark.parametrize(("left", "warned"), [(30 * DAY + SECOND, False), (30 * DAY, True), (-DAY, True)])
def test_an_end_is_warned_of_a_month_before(left: timedelta, warned: bool) -> None:
    told = usage_message(replace(ERP, expire_time=NOW + left), None, NOW)
    assert (pb.USAGE_WARNING_EXPIRING in told.warnings) is warned
    assert told.credentials[0].end_time.ToDatetime(UTC) == NOW + left
    assert (told.client_state == pb.CLIENT_STATE_EXPIRED) is (left < SECOND)


def test_keys_before_the_rotation_are_told_as_long_as_they_are_taken() -> None:
    row = replace(ERP, old_jwks=[OLD], overlap_expire_time=NOW + DAY)
    told = usage_message(row, None, NOW)
    assert [(each.kid, each.replaced, each.HasField("end_time")) for each in told.credentials] == [
        ("new", False, False),
        ("old", True, True),
    ]
    assert told.credentials[1].end_time.ToDatetime(UTC) == NOW + DAY
    assert list(told.warnings) == [pb.USAGE_WARNING_OLD_CREDENTIALS]
    # Nothing of a client outlives it.
    ends = usage_message(replace(row, expire_time=NOW + SECOND), None, NOW)
    assert ends.credentials[1].end_time.ToDatetime(UTC) == NOW + SECOND
    over = usage_message(row, None, NOW + DAY)
    assert [each.kid for each in over.credentials] == ["new"]
    assert list(over.warnings) == []


def test_of_a_secret_nothing_is_told_but_that_there_is_one() -> None:
    row = replace(ERP, jwks=None, secret_mac=b"mac", old_secret_mac=b"old", overlap_expire_time=NOW + DAY)
    told = usage_message(row, None, NOW)
    assert [(each.kid, each.replaced) for each in told.credentials] == [("", False), ("", True)]
    assert b"mac" not in told.SerializeToString()


def test_who_is_suspended_is_told_so() -> None:
    told = usage_message(replace(ERP, state=ClientState.SUSPENDED), None, NOW)
    assert told.client_state == pb.CLIENT_STATE_SUSPENDED


def test_a_day_ends_at_midnight_in_china() -> None:
    midnight = datetime(2024, 6, 4, 16, tzinfo=UTC)
    assert next_day(midnight - SECOND) == midnight
    assert next_day(midnight) == midnight + DAY


def test_the_regions_quota_is_told_where_the_contract_names_none() -> None:
    row = replace(ERP, quota_per_day=0, owner="organizations/1")
    told = usage_message(row, DayUse(80, 0), NOW, (5, 100))
    assert (told.quota.per_second, told.quota.per_day) == (5, 100)
    assert list(told.warnings) == [pb.USAGE_WARNING_DAY_NEARLY_USED]
    own = usage_message(replace(ERP, quota_per_day=7), None, NOW, (5, 100))
    assert (own.quota.per_second, own.quota.per_day) == (0, 7)
    # What is the region's own has none.
    assert usage_message(replace(row, owner=""), None, NOW, (5, 100)).quota == pb.ClientQuota()


@pytest.mark.parametrize(("left", "warned"), [(30 * DAY + SECOND, False), (30 * DAY, True), (-DAY, True)])
def test_a_certificates_own_end_is_told_and_warned_of_a_month_before(left: timedelta, warned: bool) -> None:
    held, before = (ClientCertificate(b"", name, "", NOW, NOW + left) for name in ("held", "before"))
    row = replace(ERP, jwks=None, certificates=(held,), old_certificates=(before,), overlap_expire_time=NOW + SECOND)
    told = usage_message(row, None, NOW)
    assert [(each.thumbprint, each.kid, each.replaced) for each in told.credentials] == [
        ("held", "", False),
        ("before", "", True),
    ]
    ends = [each.end_time.ToDatetime(UTC) - NOW for each in told.credentials]
    assert ends == [left, min(left, SECOND)]
    assert (pb.USAGE_WARNING_CERTIFICATE_EXPIRING in told.warnings) is warned
