"""Resource codes (政务信息资源代码)."""

import re
from dataclasses import dataclass
from enum import IntEnum

from libs.errors import invalid_field

_FORM = re.compile(r"([123])([0-9]{2})([0-9]{3})([0-9]{0,12})/([0-9]{1,10})", re.ASCII)


class ResourceClass(IntEnum):
    """The class (类), the first digit of a resource code."""

    BASIC = 1
    THEME = 2
    DEPARTMENT = 3


@dataclass(frozen=True, slots=True)
class ResourceCode:
    """A resource code in its parts: 类(1) 项(2) 目(3) 细目(*) / 顺序号 (政务信息资源目录编制指南)."""

    resource_class: ResourceClass
    item: str
    sub_item: str
    detail: str
    sequence: str

    def __str__(self) -> str:
        """Returns the code as it is written."""
        return f"{self.resource_class.value}{self.item}{self.sub_item}{self.detail}/{self.sequence}"


def parse_code(text: str) -> ResourceCode:
    """Takes a resource code apart.

    Raises:
        InvalidArgument: FIELD_INVALID on ``entry.code``, where it has another form.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise invalid_field("entry.code", "resource_code", "must be class, item, sub-item, detail, '/' and a number")
    first, *rest = match.groups()
    return ResourceCode(ResourceClass(int(first)), *rest)
