"""Writes a sheet as an OFD package of one page (GB/T 33190-2016 chapters 6 to 11).

The package holds its own font. The shared background is a template page (模板页). ``OFD.xml`` ends its DocBody with
DocRoot, so that a seal service can add ``ofd:Signatures`` behind it before it hashes the entries.
"""

from functools import lru_cache
from hashlib import sha256
from xml.sax.saxutils import escape, quoteattr

from libs.documents.drawing import DocumentInfo, DrawnPage, VectorPath, number
from libs.documents.fonts import FontSubset, document_face
from libs.documents.ofd.container import pack
from libs.documents.ofd.objects import FONT_ID, ObjectWriter

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NS = 'xmlns:ofd="http://www.ofdspec.org/2016"'
_TEMPLATE_ID, _PAGE_ID, _TEMPLATE_LAYER_ID, _FIRST_TEMPLATE_OBJECT = 2, 3, 4, 5
_FONT_FILE = "font_1.ttf"


def write_ofd(sheet: DrawnPage, info: DocumentInfo) -> bytes:
    """Returns the package. It has no signature; the same input always gives the same bytes.

    Raises:
        InvalidArgument: FIELD_INVALID when the document font lacks a character.
    """
    face = document_face()
    font = face.subset(sheet.characters())
    template, next_id = _template(sheet.background)
    objects = ObjectWriter(sheet, font.advances, next_id + 1)
    page = _page(objects.write(sheet.elements), layer=next_id)
    body = {
        "Doc_0/Document.xml": _document(sheet, objects),
        "Doc_0/PublicRes.xml": _fonts(font, face.family),
        **_media(objects),
        "Doc_0/Tpls/Tpl_0/Content.xml": template,
        "Doc_0/Pages/Page_0/Content.xml": page,
        f"Doc_0/Res/{_FONT_FILE}": font.data,
    }
    return pack({"OFD.xml": _entry(info, _document_id(info, body)), **body})


def _document_id(info: DocumentInfo, body: dict[str, bytes]) -> str:
    """Derives DocID (32 hexadecimal digits) from all that the package says."""
    digest = sha256(repr(info).encode())
    for content in body.values():
        digest.update(sha256(content).digest())
    return digest.hexdigest()[:32]


def _entry(info: DocumentInfo, document_id: str) -> bytes:
    custom = "".join(
        f"<ofd:CustomData Name={quoteattr(name)}>{escape(value)}</ofd:CustomData>" for name, value in info.custom
    )
    return (
        f'{_XML}<ofd:OFD {_NS} DocType="OFD" Version="1.1"><ofd:DocBody><ofd:DocInfo>'
        f"<ofd:DocID>{document_id}</ofd:DocID><ofd:Title>{escape(info.title)}</ofd:Title>"
        f"<ofd:Author>{escape(info.author)}</ofd:Author>"
        f"<ofd:CreationDate>{info.created:%Y-%m-%d}</ofd:CreationDate><ofd:Creator>Tongban</ofd:Creator>"
        f"<ofd:CustomDatas>{custom}</ofd:CustomDatas></ofd:DocInfo>"
        "<ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>"
    ).encode()


def _document(sheet: DrawnPage, objects: ObjectWriter) -> bytes:
    media = "<ofd:DocumentRes>DocumentRes.xml</ofd:DocumentRes>" if objects.pictures else ""
    size = f"0 0 {number(sheet.width)} {number(sheet.height)}"
    return (
        f"{_XML}<ofd:Document {_NS}><ofd:CommonData><ofd:MaxUnitID>{objects.next_id - 1}</ofd:MaxUnitID>"
        f"<ofd:PageArea><ofd:PhysicalBox>{size}</ofd:PhysicalBox></ofd:PageArea>"
        f"<ofd:PublicRes>PublicRes.xml</ofd:PublicRes>{media}"
        f'<ofd:TemplatePage ID="{_TEMPLATE_ID}" BaseLoc="Tpls/Tpl_0/Content.xml"/></ofd:CommonData>'
        f'<ofd:Pages><ofd:Page ID="{_PAGE_ID}" BaseLoc="Pages/Page_0/Content.xml"/></ofd:Pages></ofd:Document>'
    ).encode()


def _fonts(font: FontSubset, family: str) -> bytes:
    return (
        f'{_XML}<ofd:Res {_NS} BaseLoc="Res"><ofd:Fonts><ofd:Font ID="{FONT_ID}" FontName="{font.name}" '
        f'FamilyName="{family}" Charset="unicode"><ofd:FontFile>{_FONT_FILE}</ofd:FontFile></ofd:Font></ofd:Fonts>'
        "</ofd:Res>"
    ).encode()


def _media(objects: ObjectWriter) -> dict[str, bytes]:
    if not objects.pictures:
        return {}
    entries = {f"Doc_0/Res/{_picture_file(resource)}": item.png for resource, item in objects.pictures.items()}
    media = "".join(
        f'<ofd:MultiMedia ID="{resource}" Type="Image" Format="PNG">'
        f"<ofd:MediaFile>{_picture_file(resource)}</ofd:MediaFile></ofd:MultiMedia>"
        for resource in objects.pictures
    )
    resources = f'{_XML}<ofd:Res {_NS} BaseLoc="Res"><ofd:MultiMedias>{media}</ofd:MultiMedias></ofd:Res>'
    return {"Doc_0/DocumentRes.xml": resources.encode(), **entries}


def _picture_file(resource: int) -> str:
    return f"picture_{resource}.png"


@lru_cache(maxsize=16)
def _template(background: tuple[VectorPath, ...]) -> tuple[bytes, int]:
    """Returns the template page and the first id that it leaves free."""
    objects = ObjectWriter(None, {}, _FIRST_TEMPLATE_OBJECT)
    content = objects.write(background)
    page = (
        f'{_XML}<ofd:Page {_NS}><ofd:Content><ofd:Layer ID="{_TEMPLATE_LAYER_ID}" Type="Background">{content}'
        "</ofd:Layer></ofd:Content></ofd:Page>"
    )
    return page.encode(), objects.next_id


def _page(content: str, layer: int) -> bytes:
    return (
        f'{_XML}<ofd:Page {_NS}><ofd:Template TemplateID="{_TEMPLATE_ID}" ZOrder="Background"/>'
        f'<ofd:Content><ofd:Layer ID="{layer}" Type="Body">{content}</ofd:Layer></ofd:Content></ofd:Page>'
    ).encode()
