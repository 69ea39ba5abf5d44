"""QR content and annotated copies."""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import pytest

from libs.errors import InvalidArgument
from services.license.core.catalogue import Holder
from services.license.core.qr import QrContent, check_of, face_bytes, parse_qr, qr_text
from services.license.core.validity import LicenseTerm
from services.license.files.rules import copy_terms

IDENTIFIER = "1.2.156.3005.2.11100000000013338W011.11110000000021135M.TEST0000000000000001.001.5"
CONTENT = QrContent("320402", IDENTIFIER, "0a1b2c3d")
NOW = datetime(2024, 5, 18, 2, 0, tzinfo=UTC)
HOLDER = Holder("", "张三三", "111", "11010519491231002X")
ALWAYS = LicenseTerm(date(2024, 5, 18), None)


@pytest.mark.parametrize("base", ["https://example.test", "http://127.0.0.1:8081/", "https://example.test/portal"])
def test_qr_content_is_an_address_and_comes_back(base: str) -> None:
    text = qr_text(base, CONTENT)
    assert text.startswith(base.rstrip("/") + "/verify?")
    assert parse_qr(f" {text}\n") == CONTENT


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "address"),
        ("hello", "address"),
        (f"javascript:/verify?r=320402&c={IDENTIFIER}.0a1b2c3d", "address"),
        (f"https://h/other?r=320402&c={IDENTIFIER}.0a1b2c3d", "address"),
        ("http://[::1/verify?r=320402", "address"),
        ("https://h/verify?" + "r=320402&" * 20, "address"),
        (f"https://h/verify?c={IDENTIFIER}.0a1b2c3d", "region"),
        (f"https://h/verify?r=3&c={IDENTIFIER}.0a1b2c3d", "region"),
        (f"https://h/verify?r=-wanzhi&c={IDENTIFIER}.0a1b2c3d", "region"),
        (f"https://h/verify?r=320402&r=320402&c={IDENTIFIER}.0a1b2c3d", "region"),
        ("https://h/verify?r=320402", "content"),
        (f"https://h/verify?r=320402&c={IDENTIFIER}", "content"),
        (f"https://h/verify?r=320402&c={IDENTIFIER}.0A1B2C3D", "content"),
        ("https://h/verify?r=320402&c=1.2.3.0a1b2c3d", "content"),
    ],
)
def test_other_texts_are_no_qr_content(text: str, rule: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_qr(text)
    assert (caught.value.reason, caught.value.metadata) == ("QR_CONTENT_INVALID", {"rule": rule})


def test_the_check_changes_with_the_face_and_not_with_its_order() -> None:
    first = face_bytes(IDENTIFIER, "1", [HOLDER], ALWAYS, {"A": "1", "B": "2"})
    same = face_bytes(IDENTIFIER, "1", [HOLDER], ALWAYS, {"B": "2", "A": "1"})
    other = face_bytes(IDENTIFIER, "1", [HOLDER], ALWAYS, {"A": "1", "B": "3"})
    assert first == same != other
    check = check_of(sha256(first).digest())
    assert len(check) == 8
    assert parse_qr(qr_text("https://h", QrContent("320402", IDENTIFIER, check))).check == check


def test_copy_is_good_for_thirty_days_unless_said() -> None:
    terms = copy_terms("开便利店", "天宁区行政审批局", NOW, None)
    assert terms.expire_time == NOW + timedelta(days=30)


def test_copy_expiry_is_now_at_the_earliest_and_180_days_at_the_latest() -> None:
    assert copy_terms("p", "m", NOW, NOW).expire_time == NOW
    copy_terms("p", "m", NOW, NOW + timedelta(days=180))
    for wrong in (NOW - timedelta(seconds=1), NOW + timedelta(days=180, seconds=1)):
        with pytest.raises(InvalidArgument) as caught:
            copy_terms("p", "m", NOW, wrong)
        assert caught.value.violations[0].field == "copy_expire_time"


def test_nothing_breaks_out_of_a_line_of_the_watermark() -> None:
    terms = copy_terms("长" * 70 + "\n有效期截止:\u202e2099", "m\t n", NOW, None)
    assert terms.purpose == "长" * 70 + " 有效期截止: 2099"
    assert terms.maker == "m n"
