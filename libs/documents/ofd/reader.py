"""Reads OFD packages from anywhere. Tolerant where real files deviate, strict where a file could do harm.

Tolerated: paths that differ from their entry in case (``TPLS`` and ``Tpls``), absolute and relative locations, the
misspelt ``CuslomData``. Refused: too many or too large entries, high compression ratios, paths that leave the package,
names that two readers could understand differently, encrypted entries, document type definitions.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from posixpath import dirname, join, normpath
from stat import S_IFDIR, S_IFMT, S_IFREG
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from lxml import etree

from libs.documents.ofd.markup import NAMESPACES, OFD_NAMESPACE, texts
from libs.errors import InvalidArgument, Violation

_ENCRYPTED = 0x1
_LONGEST_NAME = 512


class OfdRefused(InvalidArgument):
    """The file is not a sound OFD package: FIELD_INVALID with the rule ``ofd.<rule>``.

    Attributes:
        rule: what it breaks, such as ``zip``, ``limits``, ``path``, ``encrypted``, ``entry`` or ``xml``.
    """

    def __init__(self, rule: str, description: str) -> None:
        violation = Violation("file", f"ofd.{rule}", description)
        super().__init__("FIELD_INVALID", f"file: {description}", violations=(violation,))
        self.rule = rule


@dataclass(frozen=True, slots=True)
class OfdLimits:
    """What a package may cost to read.

    Attributes:
        entries: number of files in it.
        total_bytes: of all files unpacked.
        ratio: unpacked to packed size of one file, counted from 64 KiB on.
    """

    entries: int = 2000
    total_bytes: int = 64 << 20
    ratio: int = 200


_USUAL_LIMITS = OfdLimits()
_RATIO_FREE_BYTES = 64 << 10


@dataclass(frozen=True)
class OfdPackage:
    """A package whose entries are all in memory.

    Attributes:
        entries: content of each file by its path as written, without leading slash, in the order of the package.
    """

    entries: Mapping[str, bytes]

    def find(self, location: str, base: str = "") -> str | None:
        """Returns the entry that ``location`` means, or None.

        A location with a leading slash counts from the root, any other from the folder of the entry ``base``. Case is
        ignored when there is no exact match.
        """
        path = location.lstrip("/") if location.startswith("/") else join(dirname(base), location)
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
        """Returns the root element of an XML entry.

        Raises:
            OfdRefused: FIELD_INVALID (rule ``ofd.entry`` or ``ofd.xml``).
        """
        return parse_xml(self.read(location, base))

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {path.casefold(): path for path in self.entries}

    @cached_property
    def root(self) -> etree._Element:
        """The root element of OFD.xml."""
        return self.xml("OFD.xml")

    @cached_property
    def document_path(self) -> str:
        """The entry that holds the first document's Document.xml.

        Raises:
            OfdRefused: FIELD_INVALID (rule ``ofd.entry``) when DocRoot is missing or leads nowhere.
        """
        location = self.root.findtext(f".//{{{OFD_NAMESPACE}}}DocRoot", default="").strip()
        path = self.find(location) if location else None
        if path is None:
            raise OfdRefused("entry", "OFD.xml names no document")
        return path

    def documents(self) -> list[tuple[etree._Element, str]]:
        """Returns the DocBody and the entry of Document.xml of each document, in their order.

        The elements belong to ``root``: what is changed in them is changed there.

        Raises:
            OfdRefused: FIELD_INVALID (rule ``ofd.entry``) when there is none, or a DocRoot leads nowhere.
        """
        found: list[tuple[etree._Element, str]] = []
        for body in self.root.iterfind("ofd:DocBody", NAMESPACES):
            for location in texts(body, "ofd:DocRoot"):
                path = self.find(location)
                if path is None:
                    raise OfdRefused("entry", "DocRoot leads nowhere")
                found.append((body, path))
        if not found:
            raise OfdRefused("entry", "OFD.xml names no document")
        return found

    def custom_data(self) -> dict[str, str]:
        """Returns the metadata of the first document (CustomDatas) by name; the first of equal names counts."""
        found: dict[str, str] = {}
        for element in self.root.iter(etree.Element):
            if etree.QName(element).localname in ("CustomData", "CuslomData"):
                name = element.get("Name") or element.get("name") or ""
                found.setdefault(name, element.text or "")
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
        OfdRefused: FIELD_INVALID with rule ``ofd.zip`` (no ZIP file, or broken), ``ofd.limits``, ``ofd.path``,
            ``ofd.encrypted``, ``ofd.entry`` (no OFD.xml) or ``ofd.xml``.
    """
    try:
        with ZipFile(BytesIO(data)) as archive:
            _check_directory(archive.infolist(), limits)
            files = [item for item in archive.infolist() if not item.is_dir()]
            package = OfdPackage({item.filename: _content(archive, item) for item in files})
    except (BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, RuntimeError, ValueError) as error:
        raise OfdRefused("zip", "the file is not a sound OFD package") from error
    if etree.QName(package.root).localname != "OFD":
        raise OfdRefused("xml", "OFD.xml does not hold an OFD element")
    return package


def parse_xml(data: bytes) -> etree._Element:
    """Parses XML of unknown origin: no network, no entities, and a document type definition is refused.

    Raises:
        OfdRefused: FIELD_INVALID (rule ``ofd.xml``).
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise OfdRefused("xml", "an entry of the package is not well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise OfdRefused("xml", "an entry of the package holds a document type definition")
    return root


def _check_directory(files: list[ZipInfo], limits: OfdLimits) -> None:
    if len(files) > limits.entries or sum(item.file_size for item in files) > limits.total_bytes:
        raise OfdRefused("limits", "the package has too many or too large entries")
    names = [item.filename for item in files]
    if len({name.casefold() for name in names}) != len(names):
        raise OfdRefused("path", "two entries of the package have the same name")
    for item in files:
        _check_entry(item, limits)


def _check_entry(item: ZipInfo, limits: OfdLimits) -> None:
    name = item.orig_filename
    plain = name.removesuffix("/")
    if plain.startswith(("/", "../")) or any(mark in plain for mark in ":\\") or normpath(plain) != plain:
        raise OfdRefused("path", "the name of an entry is not a plain relative path")
    if len(name) > _LONGEST_NAME or any(character < " " or character == "\x7f" for character in name):
        raise OfdRefused("path", "the name of an entry is too long or holds a control character")
    if S_IFMT(item.external_attr >> 16) not in (0, S_IFREG, S_IFDIR):
        raise OfdRefused("path", "an entry of the package is a link or a device")
    if item.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise OfdRefused("zip", "an entry of the package is packed by an unusual method")
    if item.flag_bits & _ENCRYPTED:
        raise OfdRefused("encrypted", "an entry of the package is encrypted")
    if item.file_size > max(_RATIO_FREE_BYTES, limits.ratio * item.compress_size):
        raise OfdRefused("limits", "an entry of the package is compressed beyond measure")


def _content(archive: ZipFile, item: ZipInfo) -> bytes:
    # The directory's size is a claim: read one byte more than it says, so that a lie shows.
    with archive.open(item) as stream:
        content = stream.read(item.file_size + 1)
    if len(content) != item.file_size:
        raise OfdRefused("limits", "the size of an entry differs from what the package says")
    return content
