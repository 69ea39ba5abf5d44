"""Of which RPCs a contract tells that another region may be asked."""

import pytest

from libs.rpc import refusals
from tests.support import contracts


def _implied(name: str) -> bool:
    method = next(each for each in contracts.methods() if each.name == f"tongban.{name}")
    return "REGION_TRUST_NOT_COVERING" in refusals.implied(method)


@pytest.mark.parametrize(
    "name",
    [
        "license.v1.LicenseService.GetLicense",  # by a name that may begin with the region
        "license.v1.VerificationService.VerifyLicenses",  # by the region itself
        "license.v1.LicenseService.ListLicenses",  # of several regions
        "license.v1.MaterialService.DownloadMaterial",
        "cases.v1.CaseService.SubmitCase",  # whose materials may be another region's
        "cases.v1.CaseService.AcceptCase",  # what it goes on with names them, and not the request
        "sharing.v1.DataService.Query",
    ],
)
def test_where_another_region_can_be_named_its_trust_may_not_cover_the_caller(name: str) -> None:
    assert _implied(name)


@pytest.mark.parametrize(
    "name",
    [
        "identity.v1.StaffService.GetDepartment",
        "identity.v1.AccountService.GetPerson",  # a use context names another region's item, and nobody is asked for it
        "identity.v1.RegionService.SetRegionKeys",  # a URL is no name
        "audit.v1.AuditService.GetAuditRecord",
        "uploads.v1.UploadService.DownloadUpload",
        "cases.v1.CalendarService.ImportCalendar",
        "license.v1.VerificationService.VerifyLicense",  # anybody's: nobody is asked in their name
    ],
)
def test_where_none_can_it_is_not_implied(name: str) -> None:
    assert not _implied(name)
