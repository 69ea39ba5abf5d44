"""What a licence says on its face, and how an annotated copy differs from it."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from libs.civil.calendar import CHINA_TIME


@dataclass(frozen=True, slots=True)
class Annotation:
    """Why an annotated copy (加注件) exists, and until when it may be used.

    Attributes:
        purpose: use that the holder or the law allows (使用事由).
        maker: who had the copy made (制作者).
        make_time: when, with its zone.
        expire_time: end of its use, with its zone.
    """

    purpose: str
    maker: str
    make_time: datetime
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class LicensePage:
    """One licence as its face shows it. Texts are Chinese as printed.

    Attributes:
        title: 证照名称.
        issuing_authority: 证照颁发机构.
        number: 证照编号, printed below the title.
        identifier: 证照标识 of GB/T 36904-2018.
        holder: 持证主体.
        fields: (label, value) in the order of the template.
        issue_date: 颁发日期.
        qr_text: content of the QR code.
        valid_from: first day, or None when the licence has no term.
        valid_until: last day; None with a ``valid_from`` means 长期.
        holder_label: label of the holder's line; empty when ``fields`` name the holder already.
        landscape: A4 across; else upright.
        seal_size: width and height kept for the seal, in mm.
        seal_picture: PNG of the seal for the PDF, or empty.
        metadata: further CustomDatas (CZZTDM, ZZLXDM, KZ_…).
        watermark: lines printed across the page.
        annotation: set on annotated copies only; use ``annotate``.
    """

    title: str
    issuing_authority: str
    number: str
    identifier: str
    holder: str
    fields: tuple[tuple[str, str], ...]
    issue_date: date
    qr_text: str
    valid_from: date | None = None
    valid_until: date | None = None
    holder_label: str = "持证主体"
    landscape: bool = True
    seal_size: tuple[float, float] = (42.0, 42.0)
    seal_picture: bytes = b""
    metadata: tuple[tuple[str, str], ...] = ()
    watermark: tuple[str, ...] = ()
    annotation: Annotation | None = None


def annotate(page: LicensePage, annotation: Annotation) -> LicensePage:
    """Returns the annotated copy: the same data, marked all over, and without the issuer's seal.

    The issuer never signed these bytes, so its seal is not shown on them; the platform may put its own seal on.
    """
    marks = (
        "加注件 仅限下列用途",
        f"用途：{annotation.purpose}",
        f"制作者：{annotation.maker}",
        f"制作时间：{minute_text(annotation.make_time)}",
        f"有效期至：{minute_text(annotation.expire_time)}",
    )
    return replace(page, annotation=annotation, watermark=marks, seal_picture=b"")


def date_text(day: date) -> str:
    """Writes a date as licences print it."""
    return f"{day.year}年{day.month}月{day.day}日"


def minute_text(moment: datetime) -> str:
    """Writes a time to the minute, as the clocks in China show it."""
    return f"{moment.astimezone(CHINA_TIME):%Y-%m-%d %H:%M}"


def validity_text(page: LicensePage) -> str:
    """Writes the term; empty when the licence has none."""
    if page.valid_from is None:
        return "" if page.valid_until is None else f"至{date_text(page.valid_until)}"
    end = "长期" if page.valid_until is None else date_text(page.valid_until)
    return f"{date_text(page.valid_from)}至{end}"
