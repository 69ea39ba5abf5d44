"""In which of our languages a caller wants to be told something: Accept-Language (RFC 9110, 12.5.4) by BCP 47's lookup."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

CHINESE, ENGLISH = "zh-CN", "en"
"""The languages that sentences for people are written in; Chinese where nothing else is asked for."""
HEADER = "accept-language"
"""Where a caller says it: the HTTP header, and the key of gRPC metadata."""
SPOKEN: Mapping[str, str] = MappingProxyType({"zh": CHINESE, "en": ENGLISH, "*": CHINESE})
"""Our languages by the first part of what is asked for."""
_MOST_RANGES = 16


def preferred(header: str) -> str:
    """Returns the one of our languages that ``header`` likes best.

    A range is looked up by its first part: ``en-GB`` is served with ``en``, ``zh-Hant-HK`` with ``zh-CN``. What can't be
    read counts for nothing, and so do ranges beyond the first 16.
    """
    liked = sorted(_ranges(header), key=lambda each: each[1], reverse=True)
    return next((language for language, weight in liked if weight > 0), CHINESE)


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    for part in header.split(",", _MOST_RANGES)[:_MOST_RANGES]:
        tag, _, parameter = part.partition(";")
        language = SPOKEN.get(tag.strip().partition("-")[0].lower())
        if language is not None:
            yield language, _weight(parameter)


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value) if name.strip().lower() == "q" else 0.0
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
