"""What the adapter is told of requesters and services, and what is no RPC for it."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.gateway.national_headers.config import NationalConfig
from services.gateway.national_headers.mapping import mapped

_RPC = "tongban.license.v1.VerificationService.VerifyLicense"
_GOOD: dict[str, Any] = {
    "region": {"id": "341500", "name": "六安市"},
    "http": {"port": 1},
    "gateway_url": "https://zwfw.example",
    "redis_url_file": "r",
    "requesters": [{"rid": "a", "secret_file": "s", "credentials_file": "c", "services": ["x"]}],
    "services": [{"sid": "x", "rpc": _RPC}],
}


def test_a_whole_configuration_is_taken() -> None:
    assert NationalConfig.model_validate(_GOOD).one_body_a_moment


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"requesters": _GOOD["requesters"] * 2}, "each rid stands once"),
        ({"services": _GOOD["services"] * 2}, "each sid stands once"),
        ({"services": [{"sid": "y", "rpc": _RPC}]}, "not there: x"),
        ({"requesters": []}, "at least 1"),
        ({"window_seconds": 601}, "less than or equal to 600"),
        ({"gateway_url": "https://zwfw.example/"}, "pattern"),
    ],
)
def test_what_fits_nothing_stops_the_start(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        NationalConfig.model_validate(_GOOD | changed)


@pytest.mark.parametrize(
    "name",
    [
        "tongban.license.v1.VerificationService.Nothing",
        "tongban.uploads.v1.UploadService.AppendUpload",
        "tongban.identity.v1.TokenService.IssueServiceToken",
    ],
)
def test_only_single_calls_from_outside_are_mapped(name: str) -> None:
    assert mapped(_RPC).request.DESCRIPTOR.name == "VerifyLicenseRequest"
    with pytest.raises(ValueError, match=name):
        mapped(name)
