"""The portal's pages and the words of the public verification."""

import base64
import hashlib
import html
import io
import re
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from libs.access import purposes
from libs.errors import InvalidArgument, PermissionDenied, ResourceExhausted, Unavailable, invalid_field
from services.gateway.config import GatewayConfig
from services.gateway.contracts import read_image
from services.gateway.pages import Portal
from services.gateway.verification import qr_content, request_of, result_of
from tongban.common.v1 import common_pb2
from tongban.license.v1 import resources_pb2
from tongban.license.v1 import verification_service_pb2 as api

_GUIDE = Path("docs/guides/tokens.md").read_text(encoding="utf-8")
_BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
_IDENTIFIER = "1.2.156.3005.2.11100000000013338W011.11370800MB28559184.AB12.001.K"


class Answers:
    """The services behind the gateway, as far as the pages know them."""

    def __init__(self) -> None:
        self.asked: list[api.VerifyLicenseRequest] = []
        self.up = True
        self.error: Exception | None = None
        self.states: dict[str, bool] = {}

    async def health(self) -> dict[str, bool]:
        return self.states or {"identity": True, "license": self.up}

    async def verify(self, request: api.VerifyLicenseRequest) -> api.VerifyLicenseResponse:
        self.asked.append(request)
        if not self.up:
            raise Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="license")
        if self.error is not None:
            raise self.error
        return api.VerifyLicenseResponse(standing=api.STANDING_REVOKED, type_display_name="<食品经营许可证>")


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def client(answers: Answers, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    address = "127.0.0.1:1"
    config = GatewayConfig.model_validate(
        {
            "region": {"id": "341500", "name": "六安市"},
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
    assert "权限 audit.auditRecords.list" in page
    assert "公开，无需令牌" in page


async def test_the_documentation_has_the_table_of_purposes_in_both_languages(client: httpx.AsyncClient) -> None:
    chinese = html.unescape((await client.get("/docs?lang=zh")).text)
    english = html.unescape((await client.get("/docs?lang=en")).text)
    for purpose in purposes.table().values():
        assert (purpose.code in chinese, purpose.zh in chinese) == (True, True), purpose.code
        assert (purpose.code in english, purpose.en in english) == (True, True), purpose.code


async def test_the_documentation_says_of_every_field_what_it_holds(client: httpx.AsyncClient) -> None:
    """Also of maps, of what may be null, and of lists that may."""
    page = html.unescape((await client.get("/docs")).text)
    for shown in ("{…: common.v1.ValueInput}", "cases.v1.MaterialReferenceInput[]", "license.v1.ValidityInput"):
        assert shown in page
    asked = page.partition('id="types"')[0]
    assert re.findall(r"<td[^>]*>\s*(?:<code>)?(?:any|array|object)\b", asked) == []


async def test_the_documentation_tells_how_to_get_a_token_as_the_guide_does(client: httpx.AsyncClient) -> None:
    """The lines that sign are those of docs/guides/tokens.md, which a test runs; who holds what is there too."""
    page = html.unescape((await client.get("/docs")).text)
    (block,) = re.findall(r"<<'PYTHON'\n(.*?)PYTHON\n", _GUIDE, re.DOTALL)
    assert block.strip() in page
    assert all(word in page for word in ("private_key_jwt", "auth_time", "受理岗", "cases.cases.accept"))


async def test_the_documentation_speaks_chinese_and_english(client: httpx.AsyncClient) -> None:
    chinese = (await client.get("/docs", headers={"accept-language": "zh-CN, en;q=0.5"})).text
    english = (await client.get("/docs", headers={"accept-language": "en-GB"})).text
    assert (await client.get("/docs?lang=zh", headers={"accept-language": "en"})).text == chinese
    assert ('lang="zh-CN"' in chinese, "拒绝原因" in chinese) == (True, True)
    assert ('lang="en"' in english, "拒绝原因" in english) == (True, False)
    made, said = (await client.get("/openapi.json")).json(), (await client.get("/openapi.zh.json")).json()
    assert list(made["paths"]) == list(said["paths"])


async def test_the_documentation_runs_its_own_script_alone(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs")
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"script-src 'sha256-{digest}'; connect-src 'self'" in policy
    assert "script-src" not in (await client.get("/verify")).headers["content-security-policy"]


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


async def test_refusals_are_told_in_words_that_a_citizen_understands(
    client: httpx.AsyncClient, answers: Answers
) -> None:
    cases = {
        "校验字符不正确": invalid_field("identifier", "license_identifier.check", "the check is not valid"),
        "不是政务服务平台电子证照的二维码": InvalidArgument("QR_CONTENT_INVALID", "no", rule="address"),
        "尚未与颁发地区互认": PermissionDenied("REGION_NOT_TRUSTED", "no", region="110000"),
        "联系不上颁发地区（地区代码 110000）": Unavailable("DEPENDENCY_UNAVAILABLE", "no", dependency="//110000"),
        "这不表示证照无效": Unavailable("DEPENDENCY_UNAVAILABLE", "no", dependency="license"),
        "过于频繁": ResourceExhausted("RATE_LIMITED", "no"),
    }
    for words, error in cases.items():
        answers.error = error
        page = await client.post("/verify", data={"subject": "https://x/verify?r=110000&c=bad"})
        assert words in page.text
        assert "无法核验" in page.text
    answers.error = cases["不是政务服务平台电子证照的二维码"]
    assert "无法识别所填内容" in (await client.post("/verify", data={"subject": "乱写"})).text


async def test_a_service_that_is_away_is_503(client: httpx.AsyncClient, answers: Answers) -> None:
    answers.up = False
    answer = await client.post("/verify", data={"subject": _IDENTIFIER})
    assert answer.status_code == 503


async def test_a_file_is_verified_byte_by_byte(client: httpx.AsyncClient, answers: Answers) -> None:
    content = bytes(range(256)) * 10 + b"\r\n--\r\n\n\r"
    page = await client.post("/verify", data={"number": "甲1"}, files={"file": ("证照.ofd", content)})
    assert page.status_code == 200
    assert (answers.asked[0].content, answers.asked[0].number) == (content, "甲1")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=x", b"--x"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n\r\n--x--"),
        ("multipart/form-data; boundary=\xe9", b"--x"),
        ("multipart/form-data; boundary=x", b"\r\n--x" * 50),
        ("application/x-www-form-urlencoded", b"subject=%ff"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\ncontent-disposition: form-data; name="subject"\r\n\r\n\xff\r\n--x--',
        ),
        ("application/x-www-form-urlencoded", b"subject=%00"),
        ("application/x-www-form-urlencoded", b"\xff"),
        ("application/x-www-form-urlencoded", b"subject=a&number=1&subject=b"),
        (
            "multipart/form-data; boundary=x",
            b"".join(
                b'--x\r\ncontent-disposition: form-data; name="subject"\r\n\r\n' + each + b"\r\n"
                for each in (b"a", b"b")
            )
            + b"--x--",
        ),
        ("application/x-www-form-urlencoded", b"subject=" + b"x" * 3000),
        ("", b""),
        ("application/x-www-form-urlencoded", b"y" * 4_000_000),
    ],
)
async def test_what_is_no_form_is_told_so(client: httpx.AsyncClient, answers: Answers, kind: str, body: bytes) -> None:
    headers = [(b"content-type", kind.encode("latin-1"))]
    page = await client.post("/verify", content=body, headers=headers)
    assert page.status_code == 400
    assert "无法核验" in page.text
    assert answers.asked == []


async def test_an_address_that_says_a_thing_twice_is_none(client: httpx.AsyncClient, answers: Answers) -> None:
    page = await client.get(f"/verify?r=320402&c={_IDENTIFIER}.9f&c={_IDENTIFIER}.8e")
    assert page.status_code == 400
    assert answers.asked == []


@pytest.mark.parametrize(
    ("verb", "path", "code"), [("POST", "/", 405), ("GET", "/nowhere", 404), ("PUT", "/verify", 405)]
)
async def test_what_is_not_there_is_a_page(client: httpx.AsyncClient, verb: str, path: str, code: int) -> None:
    page = await client.request(verb, path, headers=_BROWSER)
    assert page.status_code == code
    assert page.headers["content-type"].startswith("text/html")
    assert "返回首页" in page.text


@pytest.mark.parametrize(
    ("verb", "path", "code", "allow"),
    [
        ("POST", "/", 405, "GET, HEAD"),
        ("PUT", "/verify", 405, "GET, HEAD, POST"),
        ("GET", "/nowhere", 404, None),
        ("GET", "/schemas/nothing.json", 404, None),
    ],
)
async def test_who_asked_for_no_page_is_told_by_a_typed_status(
    client: httpx.AsyncClient, verb: str, path: str, code: int, allow: str | None
) -> None:
    answer = await client.request(verb, path, headers={"accept-language": "en"})
    told = answer.json()
    assert (answer.status_code, answer.headers.get("allow")) == (code, allow)
    assert (told["details"][0]["reason"], told["details"][-1]["locale"]) == ("ROUTE_NOT_FOUND", "en")


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/mixed; boundary=x", "x"])
async def test_a_form_has_the_media_type_of_a_form(client: httpx.AsyncClient, answers: Answers, kind: str) -> None:
    answer = await client.post("/verify", content=b"{}", headers={"content-type": kind})
    told = answer.json()["details"][0]
    assert (answer.status_code, told["reason"]) == (415, "MEDIA_TYPE_NOT_TAKEN")
    assert answer.headers["accept-post"] == told["metadata"]["taken"]
    assert "multipart/form-data" in told["metadata"]["taken"]
    assert answers.asked == []


async def test_what_nobody_expected_is_a_page_without_its_words(
    client: httpx.AsyncClient, answers: Answers, capfd: pytest.CaptureFixture[str]
) -> None:
    answers.error = RuntimeError("张三 secret")
    page = await client.post("/verify", data={"subject": _IDENTIFIER}, headers=_BROWSER)
    assert page.status_code == 500
    assert "服务出现问题" in page.text
    assert "secret" not in page.text + "".join(capfd.readouterr())


@pytest.mark.parametrize("typed", [_IDENTIFIER.lower(), f" {_IDENTIFIER} ", _IDENTIFIER.replace(".", "．")])
def test_an_identifier_is_known_however_it_is_typed(typed: str) -> None:
    assert request_of(typed).identifier == _IDENTIFIER


def _valid(**more: Any) -> api.VerifyLicenseResponse:
    return api.VerifyLicenseResponse(standing=api.STANDING_VALID, **more)


def _compared(*matched: bool) -> list[api.Comparison]:
    fields = (api.COMPARED_FIELD_NUMBER, api.COMPARED_FIELD_HOLDER_NAME)
    return [api.Comparison(field=field, matched=each) for field, each in zip(fields, matched, strict=False)]


@pytest.mark.parametrize(
    ("answer", "tone", "verdict"),
    [
        (_valid(comparisons=_compared(True, True)), "good", "证照有效"),
        (_valid(comparisons=_compared(True, False)), "bad", "信息不一致"),
        (_valid(comparisons=_compared(False, True)), "bad", "信息不一致"),
        (_valid(comparisons=_compared(True)), "warn", "证照有效，但未能比对"),
        (_valid(), "warn", "证照有效，但未能比对"),
        (_valid(comparisons=_compared(True, True), seal_outcome=api.SEAL_OUTCOME_INVALID), "bad", "文件上的印章无效"),
    ],
)
def test_the_headline_follows_everything_that_was_asked(
    answer: api.VerifyLicenseResponse, tone: str, verdict: str
) -> None:
    result = result_of(answer, request_of(_IDENTIFIER, "甲1", "甲公司"))
    assert (result.tone, result.verdict) == (tone, verdict)


def test_no_standing_is_green_where_something_does_not_fit() -> None:
    for standing in api.Standing.values():
        answer = api.VerifyLicenseResponse(standing=standing, comparisons=_compared(False))
        result = result_of(answer, request_of(_IDENTIFIER, "甲1"))
        assert result.tone == "bad"
        assert "不一致" in result.verdict


def test_the_subject_tells_what_it_is() -> None:
    digest = f"sm3:{'0' * 64}"
    assert request_of(digest).digest == digest
    assert request_of(_IDENTIFIER).identifier == _IDENTIFIER
    assert request_of("http://gw/verify?c=x").qr_content == "http://gw/verify?c=x"
    assert qr_content("http://gw", "341500", "a.b") == "http://gw/verify?r=341500&c=a.b"


def test_every_standing_has_its_words() -> None:
    for standing in api.Standing.values():
        result = result_of(api.VerifyLicenseResponse(standing=standing), api.VerifyLicenseRequest())
        assert (result.verdict == "无法判断") == (standing == api.STANDING_UNSPECIFIED)


def test_a_valid_licence_is_told_with_dates_and_comparisons() -> None:
    answer = api.VerifyLicenseResponse(
        standing=api.STANDING_VALID,
        validity=resources_pb2.Validity(start_date=common_pb2.Date(year=2024, month=5, day=1)),
        comparisons=[api.Comparison(field=api.COMPARED_FIELD_NUMBER, matched=True)],
    )
    answer.verify_time.FromJsonString("2024-06-01T16:00:00Z")
    lines = dict(result_of(answer, api.VerifyLicenseRequest(number="1")).lines)
    assert lines == {"有效期": "2024年5月1日 至 长期", "证照编号比对": "一致", "核验时间": "2024-06-02 00:00:00"}


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ({"cases": True, "cases-1": True, "cases-2": False}, 200),
        ({"cases": False, "cases-1": False, "cases-2": False}, 503),
        ({"cases": True, "cases-1": True, "cases-2": True, "cases-2/keys": False}, 503),
    ],
)
async def test_one_replica_of_several_that_is_away_is_named_and_the_region_serves(
    client: httpx.AsyncClient, answers: Answers, states: dict[str, bool], code: int
) -> None:
    answers.states = states
    answer = await client.get("/healthz")
    assert answer.status_code == code
    assert answer.json()["services"] == {name: "SERVING" if up else "NOT_SERVING" for name, up in states.items()}


async def test_a_partner_can_fetch_the_contracts(client: httpx.AsyncClient) -> None:
    image = await client.get("/tongban.binpb")
    assert image.content == read_image().SerializeToString()
    pack = await client.get("/protos.zip")
    assert pack.headers["content-disposition"] == 'attachment; filename="protos.zip"'
    with zipfile.ZipFile(io.BytesIO(pack.content)) as archive:
        assert archive.read("tongban.binpb") == image.content


async def test_the_schema_of_an_event_is_served_where_the_event_says(client: httpx.AsyncClient) -> None:
    answer = await client.get("/schemas/cn.tongban.cases.case.decided.v1.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/schema+json")
    assert answer.json()["$id"].endswith("/schemas/cn.tongban.cases.case.decided.v1.json")
    assert answer.json()["$defs"]["cases.v1.CaseDecided"]["properties"]["decidedBy"]["type"] == "string"
    for kind in ("cn.tongban.cases.case.unheard_of.v1", "..%2F..%2Fetc", ""):
        assert (await client.get(f"/schemas/{kind}.json")).status_code == 404
