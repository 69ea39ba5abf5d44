"""What a JSON caller who is refused is told in headers beside the body."""

import pytest

from libs.errors import TongbanError, not_found, reasons
from libs.rpc.json_edge import hints


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (not_found("persons/x"), {}),
        (reasons.rate_limited("slower", retry_after=0.2), {"retry-after": "1"}),
        (reasons.rate_limited("slower", retry_after=7.1), {"retry-after": "8"}),
        (reasons.rate_limited("slower"), {}),
        (
            reasons.assurance_too_low("more", required="3", actual="2"),
            {"www-authenticate": 'Bearer realm="tongban", error="insufficient_user_authentication", acr_values="3"'},
        ),
        (
            reasons.authentication_too_old("newer", max_auth_age="900"),
            {"www-authenticate": 'Bearer realm="tongban", error="insufficient_user_authentication", max_age="900"'},
        ),
        (
            reasons.possession_not_proven("no proof", rule="missing"),
            {"www-authenticate": 'DPoP error="invalid_dpop_proof", algs="ES256 PS256"'},
        ),
    ],
    ids=lambda each: getattr(each, "reason", ""),
)
def test_headers_say_what_the_caller_can_do(error: TongbanError, headers: dict[str, str]) -> None:
    assert dict(hints(error)) == headers
