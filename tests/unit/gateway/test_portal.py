"""The portal's pages and the words of the public verification."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from libs.errors import InvalidArgument, Unavailable
from services.gateway.config import GatewayConfig
from services.gateway.contracts import read_image
from services.gateway.pages import Portal
from services.gateway.verification import qr_content, request_of, result_of
from tongban.common.v1 import common_pb2
from tongban.license.v1 import resources_pb2
from tongban.license.v1 import verification_service_pb2 as api

_IDENTIFIER = "1.2.156.3005.2.11100000000013338W011.11370800MB28559184.AB12.001.K"


class Answers:
    """The services behind the gateway, as far as the pages know them."""

    def __init__(self) -> None:
        self.asked: list[api.VerifyLicenseRequest] = []
        self.up = True

    async def health(self) -> dict[str, bool]:
        return {"identity": True, "license": self.up}

    async def verify(self, request: api.VerifyLicenseRequest) -> api.VerifyLicenseResponse:
        self.asked.append(request)
        if not self.up:
            raise Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="license")
        if request.qr_content.endswith("bad"):
            raise InvalidArgument("FIELD_INVALID", "bad")
        return api.VerifyLicenseResponse(standing=api.STANDING_REVOKED, type_display_name="<食品经营许可证>")


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def client(answers: Answers, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    address = "127.0.0.1:1"
    config = GatewayConfig.model_validate(
        {
            "region": {"code": "341500", "name": "六安市"},
            "http": {"port": 1},
            "tls": {"ca": tmp_path, "cert": tmp_path, "key": tmp_path},
            "identity": {"address": address, "issuer": "http://gw", "jwks_url": f"http://{address}/"},
            "pages": {"port": 1, "reflection_port": 1},
            "envoy": {"admin_port": 1, "file": tmp_path / "envoy.json"},
            "public": {"base_url": "http://gw"},
            "neighbours": {},
        }
    )
    transport = httpx.ASGITransport(Portal(config, read_image(), answers).app())
    async with httpx.AsyncClient(transport=transport, base_url="http://gw") as opened:
        yield opened


@pytest.mark.parametrize("page", ["/", "/docs", "/verify"])
async def test_pages_are_chinese_and_load_nothing_from_elsewhere(client: httpx.AsyncClient, page: str) -> None:
    answer = await client.get(page)
    assert answer.status_code == 200
    assert 'lang="zh-CN"' in answer.text
    assert "六安市" in answer.text
    assert "src=" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_the_documentation_names_permissions_and_public_methods(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert "权限 audit.records.list" in page
    assert "公开，无需令牌" in page


async def test_health_is_503_while_a_service_is_away(client: httpx.AsyncClient, answers: Answers) -> None:
    assert (await client.get("/healthz")).json()["status"] == "SERVING"
    answers.up = False
    answer = await client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["services"]["license"] == "NOT_SERVING"


async def test_a_scanned_code_is_verified_as_it_was_printed(client: httpx.AsyncClient, answers: Answers) -> None:
    page = await client.get("/verify", params={"r": "320402", "c": f"{_IDENTIFIER}.9f"})
    assert answers.asked[0].qr_content == f"http://gw/verify?r=320402&c={_IDENTIFIER}.9f"
    assert "证照已吊销" in page.text
    assert "&lt;食品经营许可证&gt;" in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_a_typed_identifier_is_compared_with_what_was_brought(
    client: httpx.AsyncClient, answers: Answers
) -> None:
    await client.post("/verify", data={"subject": f" {_IDENTIFIER} ", "holder_name": "甲公司"})
    assert answers.asked[0].identifier == _IDENTIFIER
    assert answers.asked[0].holder_name == "甲公司"


async def test_refusals_are_told_in_chinese(client: httpx.AsyncClient, answers: Answers) -> None:
    assert "请求字段不符合要求" in (await client.post("/verify", data={"subject": "bad"})).text
    answers.up = False
    answer = await client.post("/verify", data={"subject": _IDENTIFIER})
    assert answer.status_code == 503
    assert "依赖的服务暂不可用" in answer.text


def test_the_subject_tells_what_it_is() -> None:
    digest = f"sm3:{'0' * 64}"
    assert request_of(digest).digest == digest
    assert request_of(_IDENTIFIER).identifier == _IDENTIFIER
    assert request_of("http://gw/verify?c=x").qr_content == "http://gw/verify?c=x"
    assert qr_content("http://gw", "341500", "a.b") == "http://gw/verify?r=341500&c=a.b"


def test_every_standing_has_its_words() -> None:
    for standing in api.Standing.values():
        result = result_of(api.VerifyLicenseResponse(standing=standing))
        assert (result.verdict == "无法判断") == (standing == api.STANDING_UNSPECIFIED)


def test_a_valid_licence_is_told_with_dates_and_comparisons() -> None:
    answer = api.VerifyLicenseResponse(
        standing=api.STANDING_VALID,
        validity=resources_pb2.Validity(start=common_pb2.Date(year=2024, month=5, day=1)),
        comparisons=[api.Comparison(field=api.COMPARED_FIELD_NUMBER, matched=True)],
    )
    answer.verify_time.FromJsonString("2024-06-01T16:00:00Z")
    lines = dict(result_of(answer).lines)
    assert lines == {"有效期": "2024年5月1日 至 长期", "证照编号比对": "一致", "核验时间": "2024-06-02 00:00:00"}
