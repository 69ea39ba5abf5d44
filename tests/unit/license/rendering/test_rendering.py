"""A licence rendered to OFD and PDF; its annotated copy."""

from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO

import pytest
from PIL import Image
from pyhanko.pdf_utils.reader import PdfFileReader

from libs.documents.drawing import Picture, TextLine
from libs.documents.ofd import OFD_NAMESPACE, OfdPackage, open_ofd
from libs.errors import InvalidArgument
from services.license.rendering import Annotation, LicensePage, annotate, render_ofd, render_pdf, seal_box
from services.license.rendering.layout import lay_out
from services.license.rendering.page import validity_text


def _seal_picture() -> bytes:
    target = BytesIO()
    Image.new("RGBA", (8, 8), (220, 0, 0, 180)).save(target, "PNG")
    return target.getvalue()


PAGE = LicensePage(
    title="食品经营许可证",
    issuing_authority="常州市天宁区行政审批局",
    number="JY13204020000017",
    identifier="1.2.156.3005.2.11100000000013338W011.11110000000021135M.TEST0000000000000001.001.5",
    holder="虚构便利店有限公司",
    fields=(("法定代表人", "张某某"), ("住所", "虚构路1号"), ("经营项目", "预包装食品销售；" * 12)),
    issue_date=date(2024, 5, 6),
    qr_text="https://region.example/v/1.2.156.3005.2.TEST",
    valid_from=date(2024, 5, 6),
    valid_until=date(2029, 5, 5),
    seal_picture=_seal_picture(),
    metadata=(("CZZTDM", "91320402MA1TEST00X"), ("KZ_JYXM", "食品")),
)
NOTE = Annotation(
    "跨省通办核验", "六安市政务服务窗口", datetime(2024, 6, 1, 1, 30, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)
)


def _texts(package: OfdPackage) -> list[str]:
    (path,) = package.pages().values()
    return [code.text or "" for code in package.xml(path).iter(f"{{{OFD_NAMESPACE}}}TextCode")]


def test_ofd_shows_the_licence_and_carries_its_metadata() -> None:
    package = open_ofd(render_ofd(PAGE))
    texts = _texts(package)
    for expected in (PAGE.title, f"编号：{PAGE.number}", PAGE.holder, "张某某", "2024年5月6日至2029年5月5日"):
        assert expected in texts
    assert package.custom_data() == {
        "ZZMC": PAGE.title,
        "ZZBH": PAGE.number,
        "ZZBS": PAGE.identifier,
        "ZZBFJG": PAGE.issuing_authority,
        "ZZBFRQ": "20240506",
        "CZZT": PAGE.holder,
        "ZZYXQQSRQ": "20240506",
        "ZZYXQJZRQ": "20290505",
        "CZZTDM": "91320402MA1TEST00X",
        "KZ_JYXM": "食品",
    }


def test_same_licence_gives_the_same_bytes() -> None:
    assert render_ofd(PAGE) == render_ofd(replace(PAGE))
    assert render_pdf(PAGE) == render_pdf(replace(PAGE))


@pytest.mark.parametrize("landscape", [True, False])
def test_everything_stays_on_the_paper(landscape: bool) -> None:
    sheet = lay_out(annotate(replace(PAGE, landscape=landscape), NOTE))
    assert (sheet.width, sheet.height) == ((297, 210) if landscape else (210, 297))
    for element in sheet.elements:
        if isinstance(element, TextLine):
            assert 17 <= element.x <= sheet.width - 17 or element.angle
            assert 17 <= element.y <= sheet.height - 17 or element.angle


def test_seal_stands_in_its_box_in_the_pdf_only() -> None:
    box = seal_box(PAGE)
    assert (box.width, box.height) == (42, 42)
    assert box.x > 150 and box.y + box.height < 193
    assert [item.box for item in lay_out(PAGE, with_seal=True).elements if isinstance(item, Picture)] == [box]
    assert not [item for item in lay_out(PAGE).elements if isinstance(item, Picture)]
    assert "Doc_0/DocumentRes.xml" not in open_ofd(render_ofd(PAGE)).entries


def test_pdf_is_read_by_another_library() -> None:
    reader = PdfFileReader(BytesIO(render_pdf(PAGE)))
    info = reader.trailer["/Info"]
    assert info["/ZZBS"] == PAGE.identifier
    assert info["/Title"] == PAGE.title
    page = reader.root["/Pages"]["/Kids"][0]
    assert [round(float(value)) for value in page["/MediaBox"]] == [0, 0, 842, 595]
    font = page["/Resources"]["/Font"]["/F1"]["/DescendantFonts"][0]
    assert font["/FontDescriptor"]["/FontFile2"].data[:4] == b"\x00\x01\x00\x00"
    assert page["/Resources"]["/XObject"]["/P0"]["/SMask"].data == bytes([180]) * 64
    assert b"/B Do" in page["/Contents"].data


def test_annotated_copy_says_what_it_is_and_bears_no_seal() -> None:
    copy = annotate(PAGE, NOTE)
    package = open_ofd(render_ofd(copy))
    text = "".join(_texts(package))
    assert "不是证照原件，不带发证机关电子印章" in text
    for mark in ("用途：跨省通办核验", "制作者：六安市政务服务窗口", "2024-06-01 09:30", "2024-07-01 08:00"):
        assert text.count(mark) >= 6
    data = package.custom_data()
    assert data["JZJZZSY"] == "跨省通办核验"
    assert (data["JZJZZSJ"], data["JZJYXQJZSJ"]) == ("20240601093000", "20240701080000")
    assert data["ZZBS"] == PAGE.identifier
    assert "/P0" not in PdfFileReader(BytesIO(render_pdf(copy))).root["/Pages"]["/Kids"][0]["/Resources"]["/XObject"]


def test_longest_purpose_fits() -> None:
    render_ofd(annotate(PAGE, replace(NOTE, purpose="核验" * 100)))


def test_long_title_and_authority_shrink() -> None:
    sheet = lay_out(replace(PAGE, title="很长的证照名称" * 6, issuing_authority="很长的机关名称" * 5, landscape=False))
    assert all(item.x > 17 for item in sheet.elements if isinstance(item, TextLine))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidArgument) as caught:
        render_ofd(replace(PAGE, fields=(("经营范围", "很长" * 9000),)))
    assert caught.value.violations[0].rule == "page.overflow"
    with pytest.raises(InvalidArgument):
        render_ofd(replace(PAGE, fields=(("很长的标签" * 30, "值"),)))
    with pytest.raises(InvalidArgument):
        render_ofd(replace(PAGE, watermark=("字" * 2000,)))


def test_control_character_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        render_ofd(replace(PAGE, number="A\x07"))


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (None, None, ""),
        (date(2024, 1, 2), None, "2024年1月2日至长期"),
        (None, date(2024, 1, 2), "至2024年1月2日"),
    ],
)
def test_terms(start: date | None, end: date | None, text: str) -> None:
    page = replace(PAGE, valid_from=start, valid_until=end)
    assert validity_text(page) == text
    data = open_ofd(render_ofd(page)).custom_data()
    assert ("ZZYXQJZRQ" in data) == bool(text)
    assert data.get("ZZYXQJZRQ") != "99991231" or end is None
