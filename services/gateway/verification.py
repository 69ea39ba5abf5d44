"""The public verification page's words: what was brought, and what came out, in Chinese."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone
from urllib.parse import urlencode

from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import TongbanError
from libs.ids.region import REGION_ID
from tongban.common.v1 import common_pb2
from tongban.license.v1 import verification_service_pb2 as api

_CHINA = timezone(timedelta(hours=8))
_IDENTIFIER = re.compile(r"1\.2\.156\.3005\.2(\.[0-9A-Z]+){5}")
_REGION = re.compile(rf"[?&]r=({REGION_ID})(?:&|$)", re.ASCII)
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
_REMARKS = {
    api.STANDING_UNKNOWN: "颁发地区没有这个证照的记录。请核对是否输错；如确认无误，请勿采信该证照。",
    api.STANDING_ALTERED: "二维码或文件与颁发机构留存的不同，可能被改动过。",
    api.STANDING_COPY_EXPIRED: "证照本身可能仍然有效，请持证人重新出具副本。",
}
_SEALS = {api.SEAL_OUTCOME_VALID: "有效", api.SEAL_OUTCOME_INVALID: "无效"}
_COMPARED: dict[int, str] = {
    api.COMPARED_FIELD_NUMBER: "证照编号",
    api.COMPARED_FIELD_HOLDER_NAME: "持证主体名称",
    api.COMPARED_FIELD_HOLDER_DOCUMENT: "持证主体证件号码",
}


_TOO_MANY = "核验请求过于频繁，请稍后再试。"
_AWAY = "核验服务暂时不可用，请稍后再试。这不表示证照无效。"
_BY_REASON = {
    "DEPENDENCY_UNAVAILABLE": _AWAY,
    "AUDIT_UNAVAILABLE": _AWAY,
    "DEADLINE_TOO_SHORT": _AWAY,
    "NOT_DONE_IN_TIME": _AWAY,
    "INTERNAL": _AWAY,
    "RATE_LIMITED": _TOO_MANY,
    "WORK_REFUSED": _TOO_MANY,
    "QR_CONTENT_INVALID": "这不是政务服务平台电子证照的二维码。请扫描证照上印制的二维码，或输入证照标识。",
    "REGION_NOT_TRUSTED": "该证照由其他地区颁发，本地区尚未与颁发地区互认。请到颁发地区的政务服务平台核验。",
    "MESSAGE_TOO_LARGE": "文件过大：请选择不超过 3 MB 的文件。",
}
_BY_RULE = {
    "license_identifier.check": "证照标识的最后一位校验字符不正确，可能有字符输错。请对照证照逐字核对后重新输入。",
    "license_identifier": "证照标识有误，可能有字符输错。请对照证照逐字核对后重新输入。",
    "ofd": "这个文件过于复杂，无法读取。请改用二维码或证照标识核验。",
    "string": "所填内容过长或格式不对，请核对后重新填写。",
}
_UNREADABLE = "无法识别所填内容。请填写二维码内容、以 1.2.156.3005.2 开头的证照标识，或 sm3: 开头的文件摘要。"


@dataclass(frozen=True, slots=True)
class Result:
    """What the page shows.

    Attributes:
        tone: of the verdict: good, warn or bad.
        verdict: the headline, which follows from everything that was asked.
        remark: what the headline means for the reader; may be empty.
        lines: named facts.
    """

    tone: str
    verdict: str
    remark: str
    lines: tuple[tuple[str, str], ...]


def request_of(subject: str, number: str = "", holder_name: str = "", file: bytes = b"") -> api.VerifyLicenseRequest:
    """Builds the request from what a person brought: a file, an identifier, a digest, or else a QR code's content."""
    # A full-width letter or a lower-case one is a way of typing, not another identifier.
    plain = unicodedata.normalize("NFKC", subject).strip()
    identifier = plain.upper().replace(" ", "")
    subject = subject.strip()
    request = api.VerifyLicenseRequest(number=number.strip(), holder_name=holder_name.strip())
    if file:
        request.content = file
    elif _IDENTIFIER.fullmatch(identifier):
        request.identifier = identifier
    elif _DIGEST.fullmatch(plain.lower()):
        request.digest = plain.lower()
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
    end = _date(validity.end_date) if validity.HasField("end_date") else "长期"
    return f"{_date(validity.start_date)} 至 {end}"


def result_of(answer: api.VerifyLicenseResponse, asked: api.VerifyLicenseRequest) -> Result:
    """Turns the answer into what the page shows; lines that say nothing are left out."""
    tone, verdict, remark = _conclusion(answer, asked)
    known = (
        ("证照标识", answer.identifier),
        ("证照名称", answer.type_display_name),
        ("颁发机构", answer.issuer_display_name),
        ("版本", str(answer.version) if answer.version else ""),
        ("持证单位", "、".join(answer.organization_names)),
        ("颁发日期", _date(answer.issue_date) if answer.HasField("issue_date") else ""),
        ("有效期", _validity(answer) if answer.HasField("validity") else ""),
        ("状态时间", _time(answer.state_time) if answer.HasField("state_time") else ""),
        ("副本使用期限", _time(answer.copy_expire_time) if answer.HasField("copy_expire_time") else ""),
        ("文件上的印章", _SEALS.get(answer.seal_outcome, "")),
        *((f"{_COMPARED[each.field]}比对", "一致" if each.matched else "不一致") for each in answer.comparisons),
        ("核验地区", answer.region),
        ("核验时间", _time(answer.verify_time) if answer.HasField("verify_time") else ""),
    )
    return Result(tone, verdict, remark, tuple((name, value) for name, value in known if value))


def _conclusion(answer: api.VerifyLicenseResponse, asked: api.VerifyLicenseRequest) -> tuple[str, str, str]:
    """Returns tone, headline and remark: a good licence with something that does not fit is not told as good."""
    tone, verdict = _VERDICTS.get(answer.standing, ("bad", "无法判断"))
    wrong = [_COMPARED[each.field] for each in answer.comparisons if not each.matched]
    if wrong:
        remark = f"所填的{'、'.join(wrong)}与证照记载不符。请核对是否输错；如确认无误，请勿采信该证照。"
        return "bad", "信息不一致" if tone == "good" else f"{verdict}，且信息不一致", remark
    if tone != "good":
        return tone, verdict, _REMARKS.get(answer.standing, "")
    if answer.seal_outcome == api.SEAL_OUTCOME_INVALID:
        return "bad", "文件上的印章无效", "证照在册，但这个文件上的印章无效，请勿采信该文件。"
    left = [_COMPARED[field] for field in _asked(asked) - {each.field for each in answer.comparisons}]
    if left:
        return "warn", "证照有效，但未能比对", f"未能比对所填的{'、'.join(left)}，请以证照原件为准。"
    return tone, verdict, ""


def _asked(request: api.VerifyLicenseRequest) -> set[int]:
    words = {
        api.COMPARED_FIELD_NUMBER: request.number,
        api.COMPARED_FIELD_HOLDER_NAME: request.holder_name,
        api.COMPARED_FIELD_HOLDER_DOCUMENT: request.holder_document_number,
    }
    return {field for field, text in words.items() if text.strip()}


def sentence_of(error: TongbanError, asked: api.VerifyLicenseRequest) -> str:
    """Returns what a citizen is told of a question that could not be answered."""
    region = error.metadata.get("dependency", "")
    if error.reason == "DEPENDENCY_UNAVAILABLE" and region.startswith("//"):
        code = _REGION.search(asked.qr_content)
        where = f"（地区代码 {code[1]}）" if code else ""
        return f"暂时联系不上颁发地区{where}的平台，请稍后再试，或到颁发地区核验。这不表示证照无效。"
    for violation in error.violations:
        for rule in (violation.rule, violation.rule.partition(".")[0]):
            if rule in _BY_RULE:
                return _BY_RULE[rule]
    if error.reason == "QR_CONTENT_INVALID" and not asked.qr_content.lower().startswith("http"):
        return _UNREADABLE
    return _BY_REASON.get(error.reason, "无法核验所填内容，请核对后重新填写。")
