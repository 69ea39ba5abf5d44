"""Draws electronic licences: from a ``LicensePage`` to the bytes of an OFD and of its PDF twin.

Pure functions of their arguments, safe between threads; CPU-bound, so call them from a pool.
"""

from libs.documents.drawing import Box
from libs.documents.ofd import write_ofd
from libs.documents.pdf import write_pdf
from services.license.rendering.layout import lay_out, seal_box
from services.license.rendering.metadata import document_info
from services.license.rendering.page import Annotation, LicensePage, annotate

__all__ = ["Annotation", "Box", "LicensePage", "annotate", "check_layout", "render_ofd", "render_pdf", "seal_box"]


def check_layout(page: LicensePage) -> None:
    """Places everything on the page, and writes no file.

    Raises:
        InvalidArgument: as ``render_ofd``.
    """
    lay_out(page)


def render_ofd(page: LicensePage) -> bytes:
    """Returns the licence as an OFD package without signature (GB/T 36905-2018, GB/T 33190-2016).

    The seal's picture is not drawn: the seal service stamps it into ``seal_box(page)``. Metadata stands in CustomDatas.

    Raises:
        InvalidArgument: FIELD_INVALID when the text does not fit the page, or the font lacks a character of it.
    """
    return write_ofd(lay_out(page), document_info(page))


def render_pdf(page: LicensePage) -> bytes:
    """Returns the PDF that looks like the OFD; the seal's picture, when given, is drawn in ``seal_box(page)``.

    Raises:
        InvalidArgument: as ``render_ofd``.
    """
    return write_pdf(lay_out(page, with_seal=True), document_info(page))
