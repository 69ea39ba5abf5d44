"""Reads OFD packages from anywhere. Tolerant where real files deviate, strict where a file could do harm.

Tolerated: paths that differ from their entry in case (``TPLS`` and ``Tpls``), absolute and relative locations, the
misspelt ``CuslomData``, the older namespace (all through a file, not beside the newer one). Refused: too many or too large entries, high compression ratios, paths that leave the package,
whatever two readers could understand differently (``archive``), encrypted entries, document type definitions. What is
parsed is counted over the whole package, each file once, so that no input decides how much work it causes.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from posixpath import dirname, join, normpath

from lxml import etree

from libs.documents.ofd.archive import OfdLimits, OfdRefused, read_archive
from libs.documents.ofd.markup import NAMESPACES, OFD_NAMESPACE, OLDER_NAMESPACES, texts

_USUAL_LIMITS = OfdLimits()
_ENCODINGS = frozenset({"UTF-8", "UTF-16", "UTF-16LE", "UTF-16BE", "US-ASCII", "ASCII", "GB18030", "GBK", "GB2312"})
"""What an entry may be encoded in: only these are read alike by every reader (UTF-7 hides tags from most)."""

_MAY_BE_OLDER = re.compile(rb"""ofdspec\.org/?["']|\0|&""")
"""Bytes without which no element can be of an older namespace (UTF-16 has zeros, a reference may hide anything)."""


class OfdPackage:
    """A package whose entries are all in memory.

    Attributes:
        entries: content of each file by its path as written, without leading slash, in the order of the package.
    """

    def __init__(self, entries: Mapping[str, bytes], limits: OfdLimits = _USUAL_LIMITS) -> None:
        self.entries = entries
        self._bytes_left, self._marks_left = limits.xml_bytes, limits.xml_marks
        self._attributes_left = limits.xml_attributes
        self._trees: dict[str, etree._Element] = {}
        # Bounded by the XML that is read: a location stands in it.
        self._found: dict[tuple[str, str], str | None] = {}

    def find(self, location: str, base: str = "") -> str | None:
        """Returns the entry that ``location`` means, or None.

        A location with a leading slash counts from the root, any other from the folder of the entry ``base``. Case is
        ignored when there is no exact match.
        """
        asked = (location, "" if location.startswith("/") else dirname(base))
        if asked not in self._found:
            self._found[asked] = self._looked_up(*asked)
        return self._found[asked]

    def _looked_up(self, location: str, folder: str) -> str | None:
        path = location.lstrip("/") if location.startswith("/") else join(folder, location)
        path = normpath(path.replace("\\", "/"))
        return path if path in self.entries else self._folded.get(path.casefold())

    def read(self, location: str, base: str = "") -> bytes:
        """Returns the content of the entry that ``location`` means (see ``find``).

        Raises:
            OfdRefused: FIELD_INVALID (rule ``ofd.entry``) when there is none.
        """
        path = self.find(location, base)
        if path is None:
            raise OfdRefused("entry", "the package lacks a file that it refers to")
        return self.entries[path]

    def xml(self, location: str, base: str = "") -> etree._Element:
        """Returns the root element of an XML entry, the same one each time: what is changed in it stays changed.

        Raises:
            OfdRefused: FIELD_INVALID (rule ``ofd.entry``, ``ofd.xml``, or ``ofd.limits`` where the XML of the package
                is too much to parse).
        """
        path = self.find(location, base)
        if path is None:
            raise OfdRefused("entry", "the package lacks a file that it refers to")
        if path not in self._trees:
            self._trees[path] = self._parsed(self.entries[path])
        return self._trees[path]

    def _parsed(self, content: bytes) -> etree._Element:
        self._bytes_left -= len(content)
        self._marks_left -= content.count(b"<")
        self._attributes_left -= content.count(b"=")
        if min(self._bytes_left, self._marks_left, self._attributes_left) < 0:
            raise OfdRefused("limits", "the package holds too much XML")
        return parse_xml(content)

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {path.casefold(): path for path in self.entries}

    @property
    def is_older(self) -> bool:
        """Whether OFD.xml is written in the older namespace."""
        return not OLDER_NAMESPACES.isdisjoint(filter(None, self.root.nsmap.values()))

    @cached_property
    def root(self) -> etree._Element:
        """The root element of OFD.xml."""
        return self.xml("OFD.xml")

    @property
    def document_path(self) -> str:
        """The entry that holds the first document's Document.xml.

        Raises:
            OfdRefused: as ``documents``.
        """
        return self.documents()[0][1]

    def documents(self) -> list[tuple[etree._Element, str]]:
        """Returns the DocBody and the entry of Document.xml of each document, in their order.

        The elements belong to ``root``: what is changed in them is changed there.

        Raises:
            OfdRefused: FIELD_INVALID (rule ``ofd.entry``) when there is none, a body names more than one, or a DocRoot
                leads nowhere.
        """
        bodies = self.root.findall("ofd:DocBody", NAMESPACES)
        if not bodies:
            raise OfdRefused("entry", "OFD.xml names no document")
        return [(body, self._document(body)) for body in bodies]

    def _document(self, body: etree._Element) -> str:
        locations = texts(body, "ofd:DocRoot")
        if len(locations) != 1:
            raise OfdRefused("entry", "OFD.xml names no document, or one body names more than one")
        path = self.find(locations[0])
        if path is None:
            raise OfdRefused("entry", "DocRoot leads nowhere")
        return path

    def custom_data(self) -> dict[str, str]:
        """Returns the metadata of the first document (CustomDatas) by name.

        Raises:
            OfdRefused: FIELD_INVALID (rule ``ofd.entry``) where a name stands twice: which one counts is anyone's guess.
        """
        found: dict[str, str] = {}
        for element in self.documents()[0][0].iter(etree.Element):
            if etree.QName(element).localname in ("CustomData", "CuslomData"):
                name = element.get("Name") or element.get("name") or ""
                if name in found:
                    raise OfdRefused("entry", "the package states one of its metadata twice")
                found[name] = element.text or ""
        return found

    def pages(self) -> dict[str, str]:
        """Returns the pages of the first document in their order: entry by page id (a StampAnnot's PageRef).

        Raises:
            OfdRefused: FIELD_INVALID (rule ``ofd.entry``) when there is none or one is missing.
        """
        found: dict[str, str] = {}
        for page in self.xml(self.document_path).iter(f"{{{OFD_NAMESPACE}}}Page"):
            path = self.find(page.get("BaseLoc", ""), self.document_path)
            if path is None:
                raise OfdRefused("entry", "the document lacks a page that it refers to")
            found[page.get("ID", "")] = path
        if not found:
            raise OfdRefused("entry", "the document has no page")
        return found


def open_ofd(data: bytes, limits: OfdLimits = _USUAL_LIMITS) -> OfdPackage:
    """Opens a package.

    Raises:
        OfdRefused: FIELD_INVALID with a rule of ``read_archive``, ``ofd.entry`` (no OFD.xml) or ``ofd.xml``.
    """
    package = OfdPackage(read_archive(data, limits), limits)
    if etree.QName(package.root).localname != "OFD":
        raise OfdRefused("xml", "OFD.xml does not hold an OFD element")
    return package


def parse_xml(data: bytes) -> etree._Element:
    """Parses XML of unknown origin: no network, no entities, and a document type definition is refused.

    Raises:
        OfdRefused: FIELD_INVALID (rule ``ofd.xml``).
    """
    # Without comments and processing instructions a text is one piece for us, as it is for those who join the pieces.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise OfdRefused("xml", "an entry of the package is not well-formed XML") from error
    about = root.getroottree().docinfo
    if about.internalDTD is not None:
        raise OfdRefused("xml", "an entry of the package holds a document type definition")
    if (about.encoding or "UTF-8").upper() not in _ENCODINGS:
        raise OfdRefused("xml", "an entry of the package is encoded in a way that only some readers know")
    return _of_one_namespace(root, data)


def _of_one_namespace(root: etree._Element, data: bytes) -> etree._Element:
    """Takes the older namespace for the newer one; raises OfdRefused where both stand in one file.

    Readers differ in whether they know the older one, so that a file with both would show each of them something else.
    """
    if not _MAY_BE_OLDER.search(data):
        return root
    older = list(root.iter(*(f"{{{namespace}}}*" for namespace in OLDER_NAMESPACES)))
    if older and next(root.iter(f"{{{OFD_NAMESPACE}}}*"), None) is not None:
        raise OfdRefused("xml", "an entry of the package mixes two namespaces of OFD")
    for each in older:
        each.tag = f"{{{OFD_NAMESPACE}}}{each.tag.rpartition('}')[2]}"
    return root
