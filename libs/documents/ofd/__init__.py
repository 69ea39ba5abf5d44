"""OFD, the national fixed-layout format (GB/T 33190-2016): a writer, and a reader that trusts nothing."""

from libs.documents.ofd.reader import OFD_NAMESPACE, OfdLimits, OfdPackage, open_ofd
from libs.documents.ofd.writer import write_ofd

__all__ = ["OFD_NAMESPACE", "OfdLimits", "OfdPackage", "open_ofd", "write_ofd"]
