"""Writes a sheet as a PDF 1.7 file of one page (ISO 32000-1) with the same embedded font as the OFD.

By hand, because the font is finished already: reportlab would parse and cut it again for each document. Text stays text
(ToUnicode), transparency of pictures is kept, and the classic cross-reference table suits incremental signing.
"""

import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from math import cos, radians, sin
from string import ascii_letters, digits

from PIL import Image

from libs.documents.drawing import (
    Color,
    DocumentInfo,
    DrawnPage,
    Element,
    Picture,
    Segment,
    TextLine,
    VectorPath,
    number,
)
from libs.documents.fonts import FontSubset, document_face

_LEVEL = 2  # half the time of level 6, for 6 % more bytes
_POINTS_PER_MM = 72 / 25.4
_OPERATORS = {"M": "m", "L": "l", "B": "c", "C": "h"}
_CATALOG, _PAGES, _PAGE, _INFO, _FONT, _CID_FONT, _DESCRIPTOR, _FONT_FILE, _UNICODE, _BACK, _CONTENT = range(1, 12)
_NAME_CHARACTERS = frozenset(ascii_letters + digits + "_")
_HEADER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


def write_pdf(sheet: DrawnPage, info: DocumentInfo) -> bytes:
    """Returns the file; the same input always gives the same bytes.

    Raises:
        InvalidArgument: FIELD_INVALID when the document font lacks a character.
    """
    font = document_face().subset(sheet.characters())
    pictures = [element for element in sheet.elements if isinstance(element, Picture)]
    opacities = sorted({item.opacity for item in sheet.elements if isinstance(item, TextLine) and item.opacity < 255})
    objects = {
        _CATALOG: f"<</Type/Catalog/Pages {_PAGES} 0 R/Lang(zh-CN)>>".encode(),
        _PAGES: f"<</Type/Pages/Kids[{_PAGE} 0 R]/Count 1>>".encode(),
        _PAGE: _page(sheet, len(pictures), opacities),
        _INFO: _information(info),
        **_font(font),
        _BACK: _background(sheet.background, sheet.width, sheet.height),
        _CONTENT: _stream(_content(sheet, font.glyph_ids)),
    }
    for index, picture in enumerate(pictures):
        first = _CONTENT + 1 + 2 * index
        objects[first], objects[first + 1] = _image(picture.png, mask=first + 1)
    return _file(objects)


def _page(sheet: DrawnPage, pictures: int, opacities: Sequence[int]) -> bytes:
    images = "".join(f"/P{index} {_CONTENT + 1 + 2 * index} 0 R" for index in range(pictures))
    states = "".join(f"/G{value}<</ca {value / 255:.3f}/CA {value / 255:.3f}>>" for value in opacities)
    return (
        f"<</Type/Page/Parent {_PAGES} 0 R/MediaBox[0 0 {_points(sheet.width)} {_points(sheet.height)}]"
        f"/Resources<</Font<</F1 {_FONT} 0 R>>/XObject<</B {_BACK} 0 R{images}>>/ExtGState<<{states}>>>>"
        f"/Contents {_CONTENT} 0 R>>"
    ).encode()


def _information(info: DocumentInfo) -> bytes:
    offset = info.created.strftime("%z") or "+0000"
    pairs = {"Title": info.title, "Author": info.author, "Creator": "Tongban", **dict(info.custom)}
    texts = "".join(f"/{_name(name)}{_text_string(value)}" for name, value in pairs.items())
    return f"<<{texts}/CreationDate(D:{info.created:%Y%m%d%H%M%S}{offset[:3]}'{offset[3:]}')>>".encode()


def _name(value: str) -> str:
    """Writes a name; all but letters, digits and the underscore as ``#xx`` (ISO 32000-1 7.3.5)."""
    return "".join(chr(byte) if chr(byte) in _NAME_CHARACTERS else f"#{byte:02x}" for byte in value.encode())


def _text_string(value: str) -> str:
    return f"<FEFF{value.encode('utf-16-be').hex()}>"


def _font(font: FontSubset) -> dict[int, bytes]:
    tag = "".join(chr(65 + byte % 26) for byte in sha256(font.data).digest()[:6])
    name = f"{tag}+{font.name}"
    widths = " ".join(str(width) for width in font.advances.values())
    system = "/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
    return {
        _FONT: (
            f"<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H/DescendantFonts[{_CID_FONT} 0 R]"
            f"/ToUnicode {_UNICODE} 0 R>>"
        ).encode(),
        _CID_FONT: (
            f"<</Type/Font/Subtype/CIDFontType2/BaseFont/{name}{system}/FontDescriptor {_DESCRIPTOR} 0 R/DW 1000"
            f"/W[1[{widths}]]/CIDToGIDMap/Identity>>"
        ).encode(),
        _DESCRIPTOR: (
            f"<</Type/FontDescriptor/FontName/{name}/Flags 4/FontBBox[-1002 -1048 2928 1808]/ItalicAngle 0"
            f"/Ascent 880/Descent -120/CapHeight 733/StemV 80/FontFile2 {_FONT_FILE} 0 R>>"
        ).encode(),
        _FONT_FILE: _stream(font.data, f"/Length1 {len(font.data)}"),
        _UNICODE: _stream(_unicode_map(font.glyph_ids)),
    }


def _unicode_map(glyph_ids: Mapping[str, int]) -> bytes:
    """Writes the CMap that lets readers copy and search the text; a block may hold 100 lines (ISO 32000-1 9.10.3)."""
    lines = [f"<{glyph:04x}><{char.encode('utf-16-be').hex()}>" for char, glyph in glyph_ids.items()]
    blocks = [lines[start : start + 100] for start in range(0, len(lines), 100)]
    body = "".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar\n" for block in blocks)
    return (
        "/CIDInit/ProcSet findresource begin 12 dict begin begincmap/CMapName/Tongban-UCS def/CMapType 2 def\n"
        f"1 begincodespacerange\n<0000><ffff>\nendcodespacerange\n{body}"
        "endcmap CMapName currentdict/CMap defineresource pop end end"
    ).encode()


@lru_cache(maxsize=32)
def _image(png: bytes, mask: int) -> tuple[bytes, bytes]:
    """Returns the image, and its transparency, to which it refers as object ``mask``; cached, as seals come again."""
    with Image.open(BytesIO(png), formats=("PNG",)) as source:
        pixels = source.convert("RGBA")
    size = f"/Type/XObject/Subtype/Image/Width {pixels.width}/Height {pixels.height}/BitsPerComponent 8"
    return (
        _stream(pixels.convert("RGB").tobytes(), f"{size}/ColorSpace/DeviceRGB/SMask {mask} 0 R"),
        _stream(pixels.getchannel("A").tobytes(), f"{size}/ColorSpace/DeviceGray"),
    )


@lru_cache(maxsize=16)
def _background(background: tuple[VectorPath, ...], width: float, height: float) -> bytes:
    content = "\n".join(_path(path) for path in background)
    box = f"/Type/XObject/Subtype/Form/BBox[0 0 {number(width)} {number(height)}]/Resources<<>>"
    return _stream(content.encode(), box)


def _content(sheet: DrawnPage, glyph_ids: Mapping[str, int]) -> bytes:
    # One matrix turns the page to millimetres with y downwards; text and pictures turn back for themselves.
    scale = f"{_POINTS_PER_MM:.6f}"
    lines = [f"{scale} 0 0 -{scale} 0 {_points(sheet.height)} cm /B Do"]
    pictures = 0
    for element in sheet.elements:
        lines.append(_element(element, glyph_ids, pictures))
        pictures += isinstance(element, Picture)
    return "\n".join(lines).encode()


def _element(element: Element, glyph_ids: Mapping[str, int], pictures: int) -> str:
    if isinstance(element, TextLine):
        return _text(element, glyph_ids)
    if isinstance(element, VectorPath):
        return _path(element)
    box = element.box
    place = f"{number(box.width)} 0 0 -{number(box.height)} {number(box.x)} {number(box.y + box.height)}"
    return f"q {place} cm /P{pictures} Do Q"


def _text(text: TextLine, glyph_ids: Mapping[str, int]) -> str:
    turn = radians(text.angle)
    matrix = f"{cos(turn):.5f} {-sin(turn):.5f} {-sin(turn):.5f} {-cos(turn):.5f} {number(text.x)} {number(text.y)}"
    codes = "".join(f"{glyph_ids[char]:04x}" for char in text.content)
    mode = f"2 Tr {text.bold:.3f} w {_color(text.color)} RG" if text.bold else "0 Tr"
    style = f"{_color(text.color)} rg BT /F1 {number(text.size)} Tf {text.spacing:.3f} Tc {mode}"
    drawn = f"{style} {matrix} Tm <{codes}> Tj ET"
    return f"q /G{text.opacity} gs {drawn} Q" if text.opacity < 255 else drawn


def _path(path: VectorPath) -> str:
    outline = " ".join(_segment(segment) for segment in path.segments)
    stroke = "" if path.stroke is None else f"{_color(path.stroke)} RG {number(path.line_width)} w "
    fill = "" if path.fill is None else f"{_color(path.fill)} rg "
    paint = {(True, True): "B", (True, False): "S", (False, True): "f"}.get((bool(stroke), bool(fill)), "n")
    return f"{stroke}{fill}{outline} {paint}"


def _segment(segment: Segment) -> str:
    letter, points = segment
    return " ".join([*(number(value) for value in points), _OPERATORS[letter]])


def _color(color: Color) -> str:
    return " ".join(f"{part / 255:.3f}" for part in color)


def _points(length: float) -> str:
    return f"{length * _POINTS_PER_MM:.3f}"


def _stream(data: bytes, entries: str = "") -> bytes:
    packed = zlib.compress(data, _LEVEL)
    return f"<<{entries}/Filter/FlateDecode/Length {len(packed)}>>stream\n".encode() + packed + b"\nendstream"


def _file(objects: Mapping[int, bytes]) -> bytes:
    """Puts objects 1 to n into a file with cross-reference table; its /ID is derived from the content."""
    parts, offsets, position = [_HEADER], [], len(_HEADER)
    for identifier in range(1, len(objects) + 1):
        part = b"%d 0 obj\n%b\nendobj\n" % (identifier, objects[identifier])
        offsets.append(position)
        parts.append(part)
        position += len(part)
    body = b"".join(parts)
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    mark = sha256(body).hexdigest()[:32]
    trailer = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<</Size {len(objects) + 1}"
        f"/Root {_CATALOG} 0 R/Info {_INFO} 0 R/ID[<{mark}><{mark}>]>>\nstartxref\n{position}\n%%EOF\n"
    )
    return body + trailer.encode()
