"""The metadata inside the file, under the pinyin keys of the licence standards (GB/T 36903-2018)."""

from datetime import date, datetime, time

from libs.civil.calendar import CHINA_TIME
from libs.documents.drawing import DocumentInfo
from services.license.rendering.page import LicensePage

_LONG_TERM = "99991231"


def document_info(page: LicensePage) -> DocumentInfo:
    """Returns title, author, date and CustomDatas of the file."""
    midnight = datetime.combine(page.issue_date, time(), CHINA_TIME)
    return DocumentInfo(
        title=page.title,
        author=page.issuing_authority,
        created=page.annotation.make_time.astimezone(CHINA_TIME) if page.annotation else midnight,
        custom=(*_face(page), *_term(page), *_copy(page), *page.metadata),
    )


def _face(page: LicensePage) -> tuple[tuple[str, str], ...]:
    return (
        ("ZZMC", page.title),
        ("ZZBH", page.number),
        ("ZZBS", page.identifier),
        ("ZZBFJG", page.issuing_authority),
        ("ZZBFRQ", _day(page.issue_date)),
        ("CZZT", page.holder),
    )


def _term(page: LicensePage) -> tuple[tuple[str, str], ...]:
    if page.valid_from is None and page.valid_until is None:
        return ()
    start = (("ZZYXQQSRQ", _day(page.valid_from)),) if page.valid_from else ()
    return (*start, ("ZZYXQJZRQ", _day(page.valid_until) if page.valid_until else _LONG_TERM))


def _copy(page: LicensePage) -> tuple[tuple[str, str], ...]:
    note = page.annotation
    if note is None:
        return ()
    return (
        ("JZJZZSJ", f"{note.make_time.astimezone(CHINA_TIME):%Y%m%d%H%M%S}"),
        ("JZJZZZ", note.maker),
        ("JZJZZSY", note.purpose),
        ("JZJYXQJZSJ", f"{note.expire_time.astimezone(CHINA_TIME):%Y%m%d%H%M%S}"),
    )


def _day(day: date) -> str:
    return f"{day:%Y%m%d}"
