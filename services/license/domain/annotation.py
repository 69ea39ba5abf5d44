"""Annotated copies (加注件): handed out instead of the original, with purpose, maker and expiry written on them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.errors import invalid_field
from services.license.domain.validity import CHINA

DEFAULT_LIFE = timedelta(days=30)
LONGEST_LIFE = timedelta(days=180)
_LINE_LENGTH = 32


@dataclass(frozen=True, slots=True)
class CopyTerms:
    """What is written on a copy. ``maker`` is the platform or department that makes it; times are aware."""

    purpose: str
    case_name: str
    maker: str
    make_time: datetime
    expire_time: datetime


def copy_terms(purpose: str, case_name: str, maker: str, now: datetime, expire_time: datetime | None) -> CopyTerms:
    """Returns the terms of a copy made ``now``; without ``expire_time`` it is good for 30 days.

    Raises FIELD_INVALID where the expiry is before now (the sharing interface asks 有效期截止 to be now or later) or
    more than 180 days on.
    """
    until = now + DEFAULT_LIFE if expire_time is None else expire_time
    if until < now:
        raise invalid_field("copy_expire_time", "copy_expire_time.future", "must not be before now")
    if until > now + LONGEST_LIFE:
        raise invalid_field("copy_expire_time", "copy_expire_time.limit", "must be at most 180 days on")
    return CopyTerms(_one_line(purpose), _one_line(case_name), _one_line(maker), now, until)


def copy_usable(expire_time: datetime, now: datetime) -> bool:
    """Returns whether a copy may still be used ``now``."""
    return now <= expire_time


def watermark_lines(terms: CopyTerms) -> tuple[str, ...]:
    """Returns the lines of the watermark, in Chinese, each at most 32 characters."""
    texts = [f"仅限用于:{terms.purpose}"]
    if terms.case_name:
        texts.append(f"办件:{terms.case_name}")
    texts.append(f"制作者:{terms.maker}")
    texts.append(f"制作时间:{_printed(terms.make_time)}")
    texts.append(f"有效期截止:{_printed(terms.expire_time)}")
    texts.append("加注件,他用无效")
    return tuple(line for text in texts for line in _wrapped(text))


def copy_metadata(terms: CopyTerms) -> dict[str, str]:
    """Returns the metadata of a copy by the keys of GB/T 36903 (standards 2.3), for the file's CustomDatas."""
    return {
        "JZJZZSJ": _compact(terms.make_time),
        "JZJZZZ": terms.maker,
        "JZJZZSY": terms.purpose,
        "JZJYXQJZSJ": _compact(terms.expire_time),
    }


def _one_line(text: str) -> str:
    """Takes out what could break out of a line of the watermark: control characters and runs of white space."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _wrapped(text: str) -> list[str]:
    return [text[start : start + _LINE_LENGTH] for start in range(0, len(text), _LINE_LENGTH)]


def _printed(instant: datetime) -> str:
    return instant.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")


def _compact(instant: datetime) -> str:
    return instant.astimezone(CHINA).strftime("%Y%m%d%H%M%S")
