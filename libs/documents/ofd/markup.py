"""The XML of OFD: its namespace, and what reading and writing it share."""

from lxml import etree

OFD_NAMESPACE = "http://www.ofdspec.org/2016"
OLDER_NAMESPACES = frozenset(("http://www.ofdspec.org", "http://www.ofdspec.org/"))
"""What files from before GB/T 33190-2016 call it; read as if it were the one of the standard."""
NAMESPACES = {"ofd": OFD_NAMESPACE}
"""What ``ofd:`` means in a path of an element."""


def element(name: str, text: str | None = None, **attributes: str) -> etree._Element:
    """Builds an element of the OFD namespace."""
    made = etree.Element(f"{{{OFD_NAMESPACE}}}{name}", attrib=attributes, nsmap=NAMESPACES)
    made.text = text
    return made


def texts(root: etree._Element, path: str) -> list[str]:
    """Returns the stripped texts at ``path``, in which ``ofd:`` means the namespace of OFD."""
    return [(node.text or "").strip() for node in root.iterfind(path, NAMESPACES)]


def to_bytes(root: etree._Element) -> bytes:
    """Writes XML as UTF-8 with its declaration."""
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))
