"""What an operator may write down for the gateway."""

import pytest
from pydantic import ValidationError

from services.gateway.config import Cors


@pytest.mark.parametrize(
    "origin", ["https://desk.example.gov.cn", "http://127.0.0.1:3000", "https://desk.example.gov.cn:8443"]
)
def test_an_origin_is_taken_as_a_browser_sends_it(origin: str) -> None:
    assert Cors(origins=[origin]).origins == [origin]


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "",
        "https://*.example.gov.cn",
        "https://desk.example.gov.cn/",
        "https://desk.example.gov.cn/page",
        "https://Desk.example.gov.cn",
        "https://desk.example.gov.cn:443",
        "http://desk.example.gov.cn:80",
        "https://u@desk.example.gov.cn",
        "desk.example.gov.cn",
        "ftp://desk.example.gov.cn",
        "https://",
        "https://desk.example.gov.cn:x",
    ],
)
def test_what_no_browser_sends_is_told_at_the_start(origin: str) -> None:
    """One that is written otherwise would be let in nowhere, and nobody would know why; and all are never meant."""
    with pytest.raises(ValidationError):
        Cors(origins=[origin])
