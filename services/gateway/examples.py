"""Examples that fit a schema of the OpenAPI document: what a reader of the documentation may send as it stands."""

import re._constants as sre
import re._parser as parser
from collections.abc import Iterator
from typing import Any

from services.gateway.schemas import Json

UUID = "0190a5d2-0000-7000-8000-000000000001"
"""Stands for an id that a caller makes or has."""
_UUIDS = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TIME = "2026-01-05T09:00:00Z"
_KNOWN: dict[str, Any] = {
    "common.v1.Date": {"year": 2026, "month": 1, "day": 5},
    "common.v1.UseContext": {"purposeCode": "QUALIFICATION_CHECK", "purpose": "核对资格"},
}
_BESIDES: dict[str, Json] = {
    "sharing.v1.GrantTerms": {"endTime": "2026-12-31T16:00:00Z"},
}
"""What rules over several fields ask for."""
_LETTERS = {sre.CATEGORY_DIGIT: "1", sre.CATEGORY_SPACE: " ", sre.CATEGORY_WORD: "a", sre.CATEGORY_NOT_SPACE: "a"}


class Examples:
    """Makes the least example of a schema: what is required, and one of what is chosen from."""

    def __init__(self, schemas: Json) -> None:
        self._schemas = schemas

    def of(self, schema: Json) -> Any:
        """Returns an example of a schema."""
        if "enum" in schema:
            named = (each for each in schema["enum"] if not str(each).endswith("_UNSPECIFIED"))
            return next(named, schema["enum"][0])
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            plain = name.removesuffix("Input")
            if plain in _KNOWN:
                return _KNOWN[plain]
            made = self.of(self._schemas[name])
            return made | _BESIDES[plain] if plain in _BESIDES else made
        if "anyOf" in schema and "type" not in schema:
            return self.of(schema["anyOf"][0])
        kind = schema.get("type", "object")
        match kind if isinstance(kind, str) else kind[0]:
            case "object":
                return {name: self.of(schema["properties"][name]) for name in self._needed(schema)}
            case "array":
                return [self.of(schema["items"])] * max(1, schema.get("minItems", 1))
            case "string":
                return text(schema)
            case "boolean":
                return True
            case _:
                return max(schema.get("minimum", 1), 1) if schema.get("maximum", 1) else 0

    def _needed(self, schema: Json) -> Iterator[str]:
        """The fields that must be there, and of each choice that must be made the first."""
        yield from schema.get("required", ())
        for rule in schema.get("allOf", ()):
            if "oneOf" in rule:
                yield from rule["oneOf"][0]["required"]


def text(schema: Json) -> str:
    """Returns a text that its schema takes."""
    if schema.get("format") == "date-time":
        return _TIME
    if schema.get("format") == "uuid":
        return UUID
    if "contentEncoding" in schema:
        least = -(-int(schema.get("minLength", 4)) // 4) * 4
        return "QUJD" * max(1, least // 4)
    pattern = str(schema.get("pattern", ""))
    if not pattern:
        return "示例".ljust(int(schema.get("minLength", 2)), "示")[: int(schema.get("maxLength", 200))]
    return fitting(pattern)


def fitting(pattern: str) -> str:
    """Returns a text that a pattern takes, with ids of ours where it asks for UUIDs: not the shortest, but one with something in it."""
    held = pattern.replace(_UUIDS, "\\x00")
    return _written(parser.parse(held)).replace("\x00", UUID)


def _written(parts: Any) -> str:
    return "".join(_one(kind, value) for kind, value in parts)


def _one(kind: Any, value: Any) -> str:
    if kind is sre.LITERAL:
        return chr(value)
    if kind is sre.NOT_LITERAL or kind is sre.ANY:
        return "a"
    if kind is sre.IN:
        return _member(value)
    if kind in {sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT}:
        least, most, inner = value
        return _written(inner) * (least or (1 if most and not _optional_region(inner) else 0))
    if kind is sre.BRANCH:
        return next(filter(None, map(_written, value[1])), "")
    if kind is sre.SUBPATTERN:
        return _written(value[3])
    return ""


def _optional_region(inner: Any) -> bool:
    """Whether a part that may be left out is another region's name (``(//<region>/)?``), or a sign."""
    return _written(inner).startswith(("//", "-"))


def _member(choices: Any) -> str:
    kind, value = choices[0]
    if kind is sre.NEGATE:
        return "a"
    if kind is sre.RANGE:
        return chr(value[0]) if chr(value[0]) != "0" else "1"
    return _LETTERS.get(value, "a") if kind is sre.CATEGORY else chr(value)
