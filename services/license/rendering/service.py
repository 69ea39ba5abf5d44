"""A licence as its page shows it, and the threads that draw it."""

from collections.abc import Sequence
from datetime import date

from libs.documents.fonts import document_face
from libs.errors import Violation, invalid_field
from libs.names import is_blank, printed
from libs.values.checks import at_key
from libs.values.kinds import Value
from libs.values.messages import values_of
from libs.values.text import plain, shown
from libs.workers import ThreadPool
from services.license.core.catalogue import LicenseType
from services.license.core.licenses import OFD, License
from services.license.core.validity import compact
from services.license.rendering import LicensePage, check_layout, render_ofd, render_pdf, seal_box
from tongban.license.v1 import resources_pb2 as pb

_SPACING = "\t\n\r"
FILE_LIMIT = 3 * 1024 * 1024
"""Bytes of the largest file of a licence: it must fit into one message."""


def page_of(row: License, content: pb.License, kind: LicenseType) -> LicensePage:
    """Returns the page of a licence: always the same for the same licence, so that its bytes can be made again.

    Args:
        row: the licence.
        content: what it says of people.
        kind: its type; what of it is printed never changes once it is published.
    """
    size = float(row.seal_diameter)
    return LicensePage(
        title=printed(row.type_display_name),
        issuing_authority=printed(row.issuer_name),
        number=printed(content.number),
        identifier=row.identifier,
        holder="、".join(printed(holder.display_name) for holder in content.holders),
        fields=_fields(content, kind),
        issue_date=row.issue_date,
        qr_text=row.qr_content,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        landscape=kind.page_layout == "A4_LANDSCAPE",
        seal_size=(size, size),
        metadata=_metadata(row, content),
    )


def seal_center(page: LicensePage) -> tuple[float, float]:
    """Returns where the middle of the seal belongs, in millimetres from the left and the top edge."""
    box = seal_box(page)
    return box.x + box.width / 2, box.y + box.height / 2


def _fields(content: pb.License, kind: LicenseType) -> tuple[tuple[str, str], ...]:
    return tuple((printed(label), printed(text)) for _, label, text in _read(content, kind) if text)


def _read(content: pb.License, kind: LicenseType) -> list[tuple[str, str, str]]:
    """Key, label and text of each field of the face, as people read it."""
    face = values_of(content.face_fields, "face_fields")
    return [(each.key, each.display_name, shown(face.get(each.key), each.type)) for each in kind.face_fields]


def unprintable(content: pb.License, kind: LicenseType) -> list[Violation]:
    """Returns what of a licence's content the font can't show, or nobody could see: the field, and the character.

    Tabs and line feeds are no characters to show: the page sets them as blanks and new lines.
    """
    texts = [("number", content.number)]
    texts += [(f"holders[{place}].display_name", holder.display_name) for place, holder in enumerate(content.holders)]
    texts += [(at_key("face_fields", key), text) for key, _, text in sorted(_read(content, kind))]
    return [violation for path, text in texts if text for violation in _unprintable(path, text)]


def _unprintable(path: str, text: str) -> list[Violation]:
    if is_blank(text):
        return [Violation(path, "page.blank", "nothing of it could be seen")]
    face = document_face()
    missing = sorted(char for char in set(printed(text)) if char not in _SPACING and char not in face)
    return [Violation(path, "font.coverage", f"no glyph for {_points(missing)}")] if missing else []


def _points(characters: Sequence[str]) -> str:
    return ", ".join(f"U+{ord(char):04X}" for char in characters[:5])


def longest_field(content: pb.License, kind: LicenseType) -> str:
    """Returns the path of the text that takes the most room on the page: the one to shorten where it doesn't fit."""
    face = {key: text for key, _, text in _read(content, kind) if text}
    found = max(face, key=lambda key: len(face[key]) + 40 * face[key].count("\n"), default="")
    return at_key("face_fields", found) if found else "holders[0].display_name"


def _metadata(row: License, content: pb.License) -> tuple[tuple[str, str], ...]:
    """Returns the CustomDatas beside those that the page gives by itself (GB/T 36903-2018)."""
    return (
        ("ZZLXDM", row.type_code),
        ("ZZBFJGDM", row.issuer_code),
        ("CZZTDMLXDM", "^".join(holder.document.type_code for holder in content.holders)),
        ("CZZTDM", "^".join(holder.document.number for holder in content.holders)),
        *((key, _of_field(value)) for key, value in values_of(content.face_fields, "face_fields").items()),
    )


def _of_field(value: Value) -> str:
    # Days as the standard's own stand in the metadata.
    return compact(value) if type(value) is date else plain(value)


class Renderer:
    """Draws pages in a few threads of its own, so that the event loop never waits for one."""

    def __init__(self, threads: int) -> None:
        document_face()
        self._pool = ThreadPool(threads, "render")

    async def draw(self, page: LicensePage, media_type: str) -> bytes:
        """Draws a page as OFD or PDF; raises FIELD_INVALID where its text does not fit or has no glyph."""
        draw = render_ofd if media_type == OFD else render_pdf
        content = await self._pool.run(draw, page)
        if len(content) > FILE_LIMIT:
            raise invalid_field("face_fields", "page.size", "the file of the licence would be too large")
        return content

    async def unprintable(self, content: pb.License, kind: LicenseType) -> list[Violation]:
        """Returns what of a licence's content can't be printed (``unprintable``); a long text takes its time."""
        return await self._pool.run(unprintable, content, kind)

    async def check(self, page: LicensePage) -> None:
        """Lays a page out, which is all of drawing that can fail; raises as ``draw``, and costs a third of it."""
        await self._pool.run(check_layout, page)

    async def close(self) -> None:
        """Ends the threads once their work is done."""
        await self._pool.close()
