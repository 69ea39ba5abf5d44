"""OFD, the national fixed-layout format (GB/T 33190-2016): a writer, and a reader that trusts nothing."""

from libs.documents.ofd.archive import OfdLimits, OfdRefused, is_pdf
from libs.documents.ofd.container import pack
from libs.documents.ofd.markup import NAMESPACES, OFD_NAMESPACE, element, texts, to_bytes
from libs.documents.ofd.reader import OfdPackage, open_ofd
from libs.documents.ofd.writer import write_ofd

__all__ = [
    "NAMESPACES",
    "OFD_NAMESPACE",
    "OfdLimits",
    "OfdPackage",
    "OfdRefused",
    "element",
    "is_pdf",
    "open_ofd",
    "pack",
    "texts",
    "to_bytes",
    "write_ofd",
]
