"""Reads what the verification page's form sends: fields, and one file that may have been dropped on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.parser import HeaderParser
from urllib.parse import parse_qsl

from starlette.requests import Request

from libs import outside

LARGEST_FILE = 3 * 1024 * 1024
_LARGEST_BODY = LARGEST_FILE + 64 * 1024
_LONGEST_FIELD = 2_000
_MOST_PARTS = 10
_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


class UnreadableForm(Exception):
    """What came is no form of ours; ``sentence`` says in Chinese what is wrong."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class ForeignForm(Exception):
    """What came is of a media type that no form has."""

    taken = f"{_FORM}, {_MULTIPART}"
    """The media types of forms."""


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The fields by name, and the bytes of the file; empty where none was chosen."""

    fields: dict[str, str] = field(default_factory=dict)
    file: bytes = b""

    def get(self, name: str) -> str:
        """Returns a field, an empty text where it is missing."""
        return self.fields.get(name, "")


async def read_form(request: Request) -> UploadForm:
    """Reads the body, form-encoded or multipart; raises ForeignForm, UnreadableForm."""
    kind = request.headers.get("content-type", "")
    media_type = kind.partition(";")[0].strip().lower() or _FORM
    if media_type not in (_FORM, _MULTIPART):
        raise ForeignForm
    body = await _body(request)
    if media_type == _MULTIPART:
        return _multipart(kind, body)
    try:
        pairs = parse_qsl(body.decode("ascii"), errors="strict", max_num_fields=_MOST_PARTS)
    except ValueError as error:
        raise _broken() from error
    once([name for name, _ in pairs])
    return UploadForm({name: _fit(value) for name, value in pairs})


def once(names: Sequence[str]) -> None:
    """Raises Unreadable where a name stands twice: which of the two is meant nobody can say."""
    if len(set(names)) != len(names):
        raise _broken()


def _broken() -> UnreadableForm:
    return UnreadableForm("提交的内容无法读取，请刷新页面后重新填写。")


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise UnreadableForm("文件过大：请选择不超过 3 MB 的文件。")
    return bytes(body)


def _fit(value: str) -> str:
    try:
        return outside.text(value, _LONGEST_FIELD)
    except outside.UnacceptableText as unfit:
        raise UnreadableForm("所填内容过长或含有无法识别的字符，请核对后重新填写。") from unfit


def _multipart(kind: str, body: bytes) -> UploadForm:
    fields: dict[str, str] = {}
    file = b""
    parts = _parts(_boundary(kind), body)
    once([name for name, _ in parts])
    for name, content in parts:
        if name == "file":
            file = content
        else:
            fields[name] = _fit(_decoded(content))
    if len(file) > LARGEST_FILE:
        raise UnreadableForm("文件过大：请选择不超过 3 MB 的文件。")
    return UploadForm(fields, file)


def _boundary(kind: str) -> bytes:
    header = Message()
    header["content-type"] = kind
    found = header.get_boundary("")
    if not found or not found.isascii():
        raise _broken()
    return found.encode()


def _parts(boundary: bytes, body: bytes) -> list[tuple[str, bytes]]:
    """Splits a body (RFC 2046, 5.1.1) as browsers write it: no preamble to speak of, no encodings (RFC 7578, 4.7)."""
    _, *between = (b"\r\n" + body).split(b"\r\n--" + boundary, _MOST_PARTS + 1)
    if not between or not between.pop().startswith(b"--"):
        raise _broken()
    return [_part(each) for each in between]


def _part(text: bytes) -> tuple[str, bytes]:
    head, gap, content = text.partition(b"\r\n\r\n")
    name = HeaderParser().parsestr(_decoded(head).lstrip()).get_param("name", header="content-disposition")
    if not gap or not isinstance(name, str):
        raise _broken()
    return name, content


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _broken() from error
