"""The OFD writer: structure of GB/T 33190-2016, unique ids, embedded font, the same bytes again."""

import struct
from datetime import UTC, datetime
from io import BytesIO
from zipfile import ZipFile

import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from libs.documents.drawing import (
    BLACK,
    Box,
    DocumentInfo,
    DrawnPage,
    Picture,
    TextLine,
    VectorPath,
    circle,
    line,
    rectangle,
)
from libs.documents.ofd import OFD_NAMESPACE, OfdPackage, open_ofd, write_ofd
from libs.documents.ofd.container import pack
from libs.documents.pdf import write_pdf
from libs.errors import InvalidArgument

NS = f"{{{OFD_NAMESPACE}}}"
INFO = DocumentInfo("标题 <&>", "机关", datetime(2024, 5, 6, tzinfo=UTC), (("ZZMC", "甲 & 乙"), ("KZ_A", "<x>")))


def _png() -> bytes:
    target = BytesIO()
    Image.new("RGBA", (4, 4), (200, 0, 0, 120)).save(target, "PNG")
    return target.getvalue()


SHEET = DrawnPage(
    210,
    297,
    (VectorPath(rectangle(Box(8, 8, 194, 281)), stroke=BLACK), VectorPath(circle(50, 50, 10), fill=(9, 9, 9))),
    (
        TextLine(20, 40, 5, "三个字AB", bold=0.2),
        TextLine(20, 60, 5, "<&>", spacing=1),
        TextLine(20, 90, 5, "斜", opacity=90, angle=30),
        VectorPath(line(10, 10, 20, 30), stroke=BLACK, line_width=1),
        Picture(Box(100, 100, 42, 42), _png()),
    ),
)


@pytest.fixture(scope="module")
def package() -> OfdPackage:
    return open_ofd(write_ofd(SHEET, INFO))


def test_package_says_what_it_is(package: OfdPackage) -> None:
    assert next(iter(package.entries)) == "OFD.xml"
    assert package.root.get("DocType") == "OFD"
    assert len(package.root.findtext(f".//{NS}DocID") or "") == 32
    assert package.custom_data() == {"ZZMC": "甲 & 乙", "KZ_A": "<x>"}
    body = package.root.find(f"{NS}DocBody")
    assert body is not None and body[-1].tag == f"{NS}DocRoot"
    assert package.pages() == {"3": "Doc_0/Pages/Page_0/Content.xml"}


def test_all_entries_parse_and_all_locations_lead_somewhere(package: OfdPackage) -> None:
    document = package.xml(package.document_path)
    for tag in ("PublicRes", "DocumentRes"):
        assert package.find(document.findtext(f".//{NS}{tag}") or "", package.document_path)
    template = document.find(f".//{NS}TemplatePage")
    assert template is not None and package.find(template.get("BaseLoc", ""), package.document_path)
    for name in package.entries:
        if name.endswith(".xml"):
            package.xml(name)


def test_ids_are_unique_and_within_the_maximum(package: OfdPackage) -> None:
    ids = [
        int(element.get("ID", ""))
        for name in package.entries
        if name.endswith(".xml")
        for element in package.xml(name).iter()
        if element.get("ID")
    ]
    maximum = int(package.xml(package.document_path).findtext(f".//{NS}MaxUnitID") or "")
    assert len(ids) == len(set(ids))
    assert max(ids) == maximum


def test_font_covers_the_page(package: OfdPackage) -> None:
    resources = package.xml("Doc_0/PublicRes.xml")
    location = f"Doc_0/{resources.get('BaseLoc')}/{resources.findtext(f'.//{NS}FontFile')}"
    covered = TTFont(BytesIO(package.read(location))).getBestCmap()
    page = package.xml(package.pages()["3"])
    codes = page.findall(f".//{NS}TextCode")
    assert {char for code in codes for char in code.text or ""} <= {chr(code) for code in covered}


def test_text_is_placed_by_advances(package: OfdPackage) -> None:
    first, second, turned = package.xml(package.pages()["3"]).findall(f".//{NS}TextObject")
    code = first.find(f"{NS}TextCode")
    assert code is not None and code.text == "三个字AB"
    assert (code.get("X"), code.get("Y"), code.get("DeltaX")) == ("0", "5", "g 3 5 3.04")
    assert (first.get("Size"), first.get("Stroke"), first.get("LineWidth")) == ("5", "true", "0.200")
    assert first.get("Boundary", "").startswith("20 35 ")
    assert second.findtext(f"{NS}TextCode") == "<&>"
    assert turned.get("Alpha") == "90"
    assert turned.get("CTM") == "0.86603 -0.50000 0.50000 0.86603 20 90"


def test_path_counts_from_its_boundary(package: OfdPackage) -> None:
    path = package.xml(package.pages()["3"]).find(f".//{NS}PathObject")
    assert path is not None
    assert path.get("Boundary") == "9 9 12 22"
    assert path.findtext(f"{NS}AbbreviatedData") == "M 1 1 L 11 21"


def test_picture_is_a_resource(package: OfdPackage) -> None:
    image = package.xml(package.pages()["3"]).find(f".//{NS}ImageObject")
    medium = package.xml("Doc_0/DocumentRes.xml").find(f".//{NS}MultiMedia")
    assert image is not None and medium is not None
    assert image.get("ResourceID") == medium.get("ID")
    assert package.entries[f"Doc_0/Res/{medium.findtext(f'{NS}MediaFile')}"] == _png()


def test_same_input_gives_the_same_bytes_and_another_title_another_id() -> None:
    assert write_ofd(SHEET, INFO) == write_ofd(SHEET, INFO)
    other = open_ofd(write_ofd(SHEET, DocumentInfo("另", "机关", INFO.created)))
    again = open_ofd(write_ofd(SHEET, INFO))
    assert other.root.findtext(f".//{NS}DocID") != again.root.findtext(f".//{NS}DocID")


def test_metadata_that_xml_cannot_hold_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="control character"):
        DocumentInfo("a\x00", "b", INFO.created)


def test_container_is_read_by_zipfile() -> None:
    entries = {"OFD.xml": b"<a/>", "目录/x.bin": bytes(1000), "empty": b""}
    with ZipFile(BytesIO(pack(entries))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == entries
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_pdf_cross_references_are_exact() -> None:
    data = write_pdf(SHEET, INFO)
    assert data == write_pdf(SHEET, INFO)
    start = int(data.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    rows = data[start:].split(b"trailer")[0].splitlines()[3:]
    for number, row in enumerate(rows, start=1):
        assert data[int(row[:10]) :].startswith(b"%d 0 obj" % number)


def test_glyph_table_offsets_are_aligned(package: OfdPackage) -> None:
    font = package.entries["Doc_0/Res/font_1.ttf"]
    count = struct.unpack_from(">H", font, 4)[0]
    offsets = [struct.unpack_from(">I", font, 12 + 16 * index + 8)[0] for index in range(count)]
    assert all(offset % 4 == 0 for offset in offsets)
