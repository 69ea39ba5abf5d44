"""A licence as its page shows it, and the threads that draw it."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from libs.documents.fonts import document_face
from libs.errors import invalid_field
from services.license.convert import OFD
from services.license.rendering import LicensePage, render_ofd, render_pdf, seal_box
from tongban.license.v1 import resources_pb2 as pb

FILE_LIMIT = 3 * 1024 * 1024
"""Bytes of the largest file of a licence: it must fit into one message."""


def page_of(columns: Mapping[str, Any], content: pb.License, kind: Mapping[str, Any]) -> LicensePage:
    """Returns the page of a licence: always the same for the same licence, so that its bytes can be made again.

    Args:
        columns: its row.
        content: what it says of people.
        kind: the row of its type; what of it is printed never changes once it is published.
    """
    size = float(columns["seal_diameter"])
    return LicensePage(
        title=columns["type_display_name"], issuing_authority=columns["issuer_name"], number=content.number,
        identifier=columns["identifier"], holder="、".join(holder.display_name for holder in content.holders),
        fields=_fields(content, kind), issue_date=columns["issue_date"], qr_text=columns["qr_content"],
        valid_from=columns["valid_from"], valid_until=columns["valid_until"],
        landscape=kind["page_layout"] == "A4_LANDSCAPE", seal_size=(size, size),
        metadata=_metadata(columns, content),
    )  # fmt: skip


def seal_center(page: LicensePage) -> tuple[float, float]:
    """Returns where the middle of the seal belongs, in millimetres from the left and the top edge."""
    box = seal_box(page)
    return box.x + box.width / 2, box.y + box.height / 2


def _fields(content: pb.License, kind: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    face = content.face_fields
    return tuple((field["label"], face[field["key"]]) for field in kind["face_fields"] if face.get(field["key"], ""))


def _metadata(columns: Mapping[str, Any], content: pb.License) -> tuple[tuple[str, str], ...]:
    """Returns the CustomDatas beside those that the page gives by itself (GB/T 36903-2018)."""
    return (
        ("ZZLXDM", columns["type_code"]),
        ("ZZBFJGDM", columns["issuer_code"]),
        ("CZZTDMLXDM", "^".join(holder.document.type_code for holder in content.holders)),
        ("CZZTDM", "^".join(holder.document.number for holder in content.holders)),
        *sorted(content.face_fields.items()),
    )


class Renderer:
    """Draws pages in a few threads of its own, so that the event loop never waits for one."""

    def __init__(self, threads: int) -> None:
        document_face()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="render")

    async def draw(self, page: LicensePage, media_type: str) -> bytes:
        """Draws a page as OFD or PDF; raises FIELD_INVALID where its text does not fit or has no glyph."""
        draw = render_ofd if media_type == OFD else render_pdf
        content = await asyncio.get_running_loop().run_in_executor(self._pool, draw, page)
        if len(content) > FILE_LIMIT:
            raise invalid_field("face_fields", "page.size", "the file of the licence would be too large")
        return content
