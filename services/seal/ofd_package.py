"""Reads and writes OFD packages (GB/T 33190-2016), taken as hostile: they come from anyone.

What is refused: names that leave the package, names that stand twice, entries that are encrypted or not plain files,
archives that unpack to more than the limits, XML with a document type (and with it every entity).
"""

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from posixpath import dirname, join, normpath
from stat import S_IFMT, S_IFREG
from zlib import error as ZlibError

from lxml import etree

OFD = "http://www.ofdspec.org/2016"
"""The namespace of OFD."""
MAX_ENTRIES = 2000
"""More files in one package are refused."""
MAX_FILE_BYTES = 16 << 20
"""A larger file, unpacked, is refused."""
MAX_TOTAL_BYTES = 32 << 20
"""A larger package, unpacked, is refused."""
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class PackageError(ValueError):
    """The package breaks a rule.

    Attributes:
        rule: the rule's short name, such as ``name_leaves_package``.
    """

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Package:
    """The files of a package by their names (without a leading slash), in order.

    Attributes:
        files: the contents.
    """

    files: Mapping[str, bytes]
    _folded: dict[str, list[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in self.files:
            self._folded.setdefault(name.casefold(), []).append(name)

    def find(self, path: str, base: str = "") -> str | None:
        """Returns the name of the file that ``path`` means, or None.

        Args:
            path: absolute (``/Doc_0/x``) or relative to ``base``.
            base: the folder of the file that holds the path.

        Real packages differ from their own paths in upper and lower case, so that a single file that differs in
        nothing else is taken; two such files are not guessed between.
        """
        name = normpath(path.lstrip("/") if path.startswith("/") else join(base, path))
        if name in self.files:
            return name
        alike = self._folded.get(name.casefold(), [])
        return alike[0] if len(alike) == 1 else None


def read(data: bytes) -> Package:
    """Unpacks an OFD file; raises PackageError where it breaks a rule."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return Package(dict(_contents(archive)))
    except (zipfile.BadZipFile, ZlibError, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise PackageError("zip_unreadable", f"not a readable ZIP archive: {error}") from error


def _contents(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise PackageError("too_many_entries", f"{len(entries)} entries, {MAX_ENTRIES} at most")
    seen: set[str] = set()
    left = MAX_TOTAL_BYTES
    for entry in entries:
        name = _checked_name(entry)
        if name in seen:
            raise PackageError("name_twice", "a name stands twice")
        seen.add(name)
        if entry.is_dir():
            continue
        content = _unpacked(archive, entry, min(left, MAX_FILE_BYTES))
        left -= len(content)
        yield name, content


def _checked_name(entry: zipfile.ZipInfo) -> str:
    name = entry.filename.removeprefix("/").rstrip("/")
    parts = name.split("/")
    # ZipInfo cuts the name at a NUL and turns the system's separator: compare with what stands in the archive.
    if entry.orig_filename != entry.filename or not name or len(name) > 512:
        raise PackageError("name_malformed", "a name is empty, too long or holds a control character")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or ":" in parts[0]:
        raise PackageError("name_leaves_package", "a name leads out of the package")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in name):
        raise PackageError("name_malformed", "a name holds a control character")
    if not _is_plain(entry):
        raise PackageError("entry_not_plain", "an entry is encrypted, a link, or packed in an unknown way")
    return name


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    kind = S_IFMT(entry.external_attr >> 16)
    known_kind = entry.is_dir() or kind in (0, S_IFREG)
    return known_kind and not entry.flag_bits & _ENCRYPTED and entry.compress_type in _METHODS


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    """Unpacks up to ``limit`` bytes; the sizes that the archive states are not believed."""
    with archive.open(entry) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise PackageError("too_large", f"unpacks to more than {limit} bytes")
    return content


def write(files: Mapping[str, bytes], at: datetime) -> bytes:
    """Packs ``files`` in their order, all dated ``at``: the same files at the same time give the same bytes."""
    out = io.BytesIO()
    when = (at.year, at.month, at.day, at.hour, at.minute, at.second)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, when)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (S_IFREG | 0o644) << 16
            archive.writestr(entry, content)
    return out.getvalue()


def parse_xml(content: bytes, what: str) -> etree._Element:
    """Parses XML without entities, document types or the network; raises PackageError where it is not such XML."""
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise PackageError("xml_unreadable", f"{what}: {error}") from error
    if root.getroottree().docinfo.doctype:
        raise PackageError("xml_doctype", f"{what} has a document type")
    return root


def element(name: str, text: str | None = None, **attributes: str) -> etree._Element:
    """Builds an element of the OFD namespace."""
    made = etree.Element(f"{{{OFD}}}{name}", attrib=attributes, nsmap={"ofd": OFD})
    made.text = text
    return made


def to_bytes(root: etree._Element) -> bytes:
    """Writes XML as UTF-8 with its declaration."""
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))


def texts(root: etree._Element, path: str) -> list[str]:
    """Returns the stripped texts at ``path``, in which ``ofd:`` means the namespace of OFD."""
    found = root.iterfind(path, {"ofd": OFD})
    return [(node.text or "").strip() for node in found]


def document_roots(package: Package) -> list[tuple[etree._Element, str, etree._Element]]:
    """Returns (DocBody, name of Document.xml, root of OFD.xml) for each document; raises PackageError without any."""
    name = package.find("OFD.xml")
    if name is None:
        raise PackageError("ofd_xml_missing", "there is no OFD.xml")
    root = parse_xml(package.files[name], "OFD.xml")
    found: list[tuple[etree._Element, str, etree._Element]] = []
    for body in root.iterfind("ofd:DocBody", {"ofd": OFD}):
        for path in texts(body, "ofd:DocRoot"):
            document = package.find(path)
            if document is None:
                raise PackageError("document_missing", "DocRoot leads nowhere")
            found.append((body, document, root))
    if root.tag != f"{{{OFD}}}OFD" or not found:
        raise PackageError("document_missing", "OFD.xml names no document")
    return found


def folder(name: str) -> str:
    """Returns the folder of a file of the package."""
    return dirname(name)
