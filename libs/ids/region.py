"""Regions: the id that names one in the federation, and region codes (行政区划代码), which are something else.

The id is opaque and stays for ever (decision 0044). Codes are those of GB/T 2260 (6 digits) with GB/T 10114 levels below
(9 and 12 digits), and the state changes them. Codes of abolished counties stay in use for ever in other identifiers, so
only the province prefix is checked here; the dated table of regions is data.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from libs.errors import invalid_field

REGION_ID = "[a-z0-9][a-z0-9-]{0,30}[a-z0-9]"
"""What the id of a region looks like: 2 to 32 characters that may stand in a host name. It says nothing."""

PROVINCES = MappingProxyType(
    {
        "11": "北京市",
        "12": "天津市",
        "13": "河北省",
        "14": "山西省",
        "15": "内蒙古自治区",
        "21": "辽宁省",
        "22": "吉林省",
        "23": "黑龙江省",
        "31": "上海市",
        "32": "江苏省",
        "33": "浙江省",
        "34": "安徽省",
        "35": "福建省",
        "36": "江西省",
        "37": "山东省",
        "41": "河南省",
        "42": "湖北省",
        "43": "湖南省",
        "44": "广东省",
        "45": "广西壮族自治区",
        "46": "海南省",
        "50": "重庆市",
        "51": "四川省",
        "52": "贵州省",
        "53": "云南省",
        "54": "西藏自治区",
        "61": "陕西省",
        "62": "甘肃省",
        "63": "青海省",
        "64": "宁夏回族自治区",
        "65": "新疆维吾尔自治区",
        "66": "新疆生产建设兵团",
        "71": "台湾省",
        "81": "香港特别行政区",
        "82": "澳门特别行政区",
    }
)
"""Names by the first two digits of GB/T 2260. 66 is no part of the standard, but in use by systems of the Corps."""

NATIONAL = "000000000000"
"""The whole country; ``100000`` of older tables means the same."""

_CODE = re.compile(r"[0-9]{6}(?:[0-9]{3}){0,2}", re.ASCII)
_GROUP_ENDS = (2, 4, 6, 9, 12)


class Level(IntEnum):
    """The level of a region, which is the number of its last group that is not zero."""

    NATIONAL = 0
    PROVINCE = 1
    PREFECTURE = 2
    COUNTY = 3
    TOWN = 4
    VILLAGE = 5


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """A region by its canonical code of 12 digits."""

    code: str

    def __str__(self) -> str:
        return self.code

    @property
    def short(self) -> str:
        """The first 6 digits, as in citizen identity numbers."""
        return self.code[:6]

    @property
    def level(self) -> Level:
        """The level of the region."""
        used = len(self.code.rstrip("0"))
        return Level(sum(1 for end in (0, *_GROUP_ENDS[:-1]) if end < used))

    @property
    def province(self) -> str:
        """The name of the province-level division; empty for the whole country."""
        return PROVINCES.get(self.code[:2], "")

    @property
    def parent(self) -> "Region":
        """The region one level above; the whole country is its own parent."""
        level = self.level
        if level <= Level.PROVINCE:
            return Region(NATIONAL)
        return Region(self.code[: _GROUP_ENDS[level - 2]].ljust(12, "0"))

    def contains(self, other: "Region") -> bool:
        """Says whether ``other`` is this region or lies in it."""
        level = self.level
        end = 0 if level is Level.NATIONAL else _GROUP_ENDS[level - 1]
        return other.code[:end] == self.code[:end]


def parse(text: str, field: str) -> Region:
    """Reads a code of 6, 9 or 12 digits whose province prefix is known.

    Raises:
        InvalidArgument: FIELD_INVALID with rule ``region_code.shape`` or ``region_code.province``.
    """
    if _CODE.fullmatch(text) is None:
        raise invalid_field(field, "region_code.shape", "a region code has 6, 9 or 12 digits")
    code = text.ljust(12, "0")
    if code in (NATIONAL, "100000000000"):
        return Region(NATIONAL)
    if not has_known_province(code):
        raise invalid_field(field, "region_code.province", "the first two digits are no province-level code")
    return Region(code)


def has_known_province(code: str) -> bool:
    """Says whether the first two digits of ``code`` are a province-level prefix."""
    return code[:2] in PROVINCES
