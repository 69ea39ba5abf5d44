"""The public verification page's words: what was brought, and what came out, in Chinese."""

import re
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone
from urllib.parse import urlencode

from google.protobuf.timestamp_pb2 import Timestamp

from tongban.common.v1 import common_pb2
from tongban.license.v1 import verification_service_pb2 as api

_CHINA = timezone(timedelta(hours=8))
_IDENTIFIER = re.compile(r"1\.2\.156\.3005\.2(\.[0-9A-Z]+){5}")
_DIGEST = re.compile(r"sm3:[0-9a-f]{64}")
_VERDICTS: dict[int, tuple[str, str]] = {
    api.STANDING_VALID: ("good", "证照有效"),
    api.STANDING_NOT_YET_VALID: ("warn", "证照尚未生效"),
    api.STANDING_SUSPENDED: ("warn", "证照已暂扣"),
    api.STANDING_REVOKED: ("bad", "证照已吊销"),
    api.STANDING_WITHDRAWN: ("bad", "证照已撤销"),
    api.STANDING_CANCELLED: ("bad", "证照已注销"),
    api.STANDING_EXPIRED: ("bad", "证照已失效"),
    api.STANDING_TRANSFERRED_OUT: ("warn", "证照已转出至其他地区"),
    api.STANDING_COPY_EXPIRED: ("warn", "该副本的使用期限已过"),
    api.STANDING_ALTERED: ("bad", "内容与签发时不一致，请勿采信"),
    api.STANDING_UNKNOWN: ("bad", "未查到该证照"),
}
_COMPARED = {
    api.COMPARED_FIELD_NUMBER: "证照编号",
    api.COMPARED_FIELD_HOLDER_NAME: "持证主体名称",
    api.COMPARED_FIELD_HOLDER_DOCUMENT: "持证主体证件号码",
}


@dataclass(frozen=True, slots=True)
class Result:
    """What the page shows: the tone of the verdict (good, warn, bad), the verdict, and named lines."""

    tone: str
    verdict: str
    lines: tuple[tuple[str, str], ...]


def request_of(subject: str, number: str = "", holder_name: str = "") -> api.VerifyLicenseRequest:
    """Builds the request from what a person typed or scanned: an identifier, a digest, or else a QR code's content."""
    subject = subject.strip()
    request = api.VerifyLicenseRequest(number=number.strip(), holder_name=holder_name.strip())
    if _IDENTIFIER.fullmatch(subject):
        request.identifier = subject
    elif _DIGEST.fullmatch(subject):
        request.digest = subject
    else:
        request.qr_content = subject
    return request


def qr_content(base_url: str, region: str, check: str) -> str:
    """Rebuilds the content of the QR code from the parameters of the address that it leads to."""
    return f"{base_url}/verify?{urlencode({'r': region, 'c': check})}"


def _date(date: common_pb2.Date) -> str:
    return f"{date.year}年{date.month}月{date.day}日"


def _time(stamp: Timestamp) -> str:
    return stamp.ToDatetime(UTC).astimezone(_CHINA).strftime("%Y-%m-%d %H:%M:%S")


def _validity(answer: api.VerifyLicenseResponse) -> str:
    validity = answer.validity
    end = _date(validity.end) if validity.HasField("end") else "长期"
    return f"{_date(validity.start)} 至 {end}"


def result_of(answer: api.VerifyLicenseResponse) -> Result:
    """Turns the answer into what the page shows; lines that say nothing are left out."""
    tone, verdict = _VERDICTS.get(answer.standing, ("bad", "无法判断"))
    known = (
        ("证照标识", answer.identifier),
        ("证照名称", answer.type_display_name),
        ("颁发机构", answer.issuer_display_name),
        ("版本", str(answer.version) if answer.version else ""),
        ("持证单位", "、".join(answer.organization_names)),
        ("颁发日期", _date(answer.issue_date) if answer.HasField("issue_date") else ""),
        ("有效期", _validity(answer) if answer.HasField("validity") else ""),
        ("状态时间", _time(answer.state_time) if answer.HasField("state_time") else ""),
        *((f"{_COMPARED[each.field]}比对", "一致" if each.matched else "不一致") for each in answer.comparisons),
        ("核验地区", answer.region_code),
        ("核验时间", _time(answer.verify_time) if answer.HasField("verify_time") else ""),
    )
    return Result(tone, verdict, tuple((name, value) for name, value in known if value))
