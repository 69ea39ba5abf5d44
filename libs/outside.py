"""The gate for text that comes from outside and that no contract describes: forms, headers, tokens, page tokens.

What a request's message holds is checked by the validation stage; all other text passes here before anything reads it.
Standard library only.
"""

import base64
import binascii
import json
import math
import re
from typing import Any

_SURROGATE_OR_NUL = re.compile("[\0\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_DEEPEST = 16
_LARGEST_NUMBER = 2.0**53
_PARTS_OF_A_JWT = 3

Json = dict[str, Any]


class UnacceptableText(ValueError):
    """Text that is not taken; its words name the rule and hold nothing of the text."""


def text(value: str, most: int) -> str:
    """Returns a text of at most ``most`` characters without U+0000 and lone surrogates; raises Unfit."""
    if len(value) > most:
        raise UnacceptableText(f"is longer than {most} characters")
    if _SURROGATE_OR_NUL.search(value):
        raise UnacceptableText("holds U+0000 or a lone surrogate")
    return value


def line(value: str, most: int) -> str:
    """Returns a text as ``text`` does, which holds no control characters either; raises Unfit."""
    if _CONTROL.search(text(value, most)):
        raise UnacceptableText("holds control characters")
    return value


def json_value(data: bytes, most: int) -> Any:
    """Reads JSON (RFC 8259) of at most ``most`` bytes; raises Unfit.

    Nesting is bounded, a name stands once in an object, numbers are finite and exact, texts hold no U+0000 and no lone
    surrogate.
    """
    if len(data) > most:
        raise UnacceptableText(f"is longer than {most} bytes")
    try:
        written = data.decode("utf-8")
        _check_depth(written)
        found = json.loads(
            written, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_float, parse_int=_integer
        )
        return _clean(found)
    except UnacceptableText:
        raise
    except (ValueError, RecursionError) as error:
        raise UnacceptableText("is no JSON in UTF-8") from error


def json_object(data: bytes, most: int) -> Json:
    """Reads a JSON object as ``json_value`` does; raises Unfit."""
    found = json_value(data, most)
    if not isinstance(found, dict):
        raise UnacceptableText("is no JSON object")
    return found


def jwt_parts(token: str, most: int) -> tuple[Json, Json]:
    """Returns header and payload of a signed compact JWT that nobody has verified; raises Unfit."""
    parts = token.split(".") if len(token) <= most else []
    if len(parts) != _PARTS_OF_A_JWT or not all(parts):
        raise UnacceptableText("is no signed compact JWT of fit size")
    header, payload, _signature = (base64url(part) for part in parts)
    return json_object(header, most), json_object(payload, most)


def base64url(value: str) -> bytes:
    """Decodes base64url without padding (RFC 7515, 2); raises Unfit, also where unused bits are set: one text for one meaning."""
    if not _BASE64URL.fullmatch(value):
        raise UnacceptableText("is no base64url")
    try:
        decoded = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except binascii.Error as error:
        raise UnacceptableText("is no base64url") from error
    if base64.urlsafe_b64encode(decoded).decode().rstrip("=") != value:
        raise UnacceptableText("is no base64url")
    return decoded


def _check_depth(written: str) -> None:
    depth = 0
    for found in _BRACKETS.finditer(written):
        mark = found[0]
        depth += (mark in "[{") - (mark in "]}")
        if depth > _DEEPEST:
            raise UnacceptableText(f"is nested deeper than {_DEEPEST}")


def _object(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnacceptableText("names a member twice")
    return found


def _no_constant(_name: str) -> float:
    raise UnacceptableText("holds NaN or Infinity")


def _float(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise UnacceptableText("holds a number that is too large")
    return number


def _integer(written: str) -> int:
    if len(written) > len("-9007199254740992") or abs(int(written)) > _LARGEST_NUMBER:
        raise UnacceptableText("holds a number that is too large")
    return int(written)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return text(value, len(value))
    if isinstance(value, dict):
        return {_clean(key): _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list) else value
