"""Page tokens (AIP-158): opaque, URL-safe, bound to the arguments of the list they belong to, and not to be forged.

A forged sort key would reach the database as a value of the wrong type; so a token carries a keyed digest.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence

from google.protobuf.message import Message

from libs.errors import InvalidArgument

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000


def page_size(asked: int, maximum: int = MAX_PAGE_SIZE) -> int:
    """Returns the size to use: 0 means the default, too much is cut to ``maximum``."""
    return min(asked or DEFAULT_PAGE_SIZE, maximum)


class _Key:
    """The key of this service's tokens; all replicas have the same."""

    value = secrets.token_bytes(32)


def configure(key: bytes) -> None:
    """Sets the key, which must be the same on all replicas of a service."""
    _Key.value = key


def _digest(request: Message, last: Sequence[object]) -> str:
    copy = type(request)()
    copy.CopyFrom(request)
    copy.ClearField("page_token")
    copy.ClearField("page_size")
    text = copy.SerializeToString(deterministic=True) + json.dumps(last).encode()
    return hmac.new(_Key.value, text, hashlib.sha256).hexdigest()[:32]


def next_token(request: Message, *last: str | int) -> str:
    """Makes the token for the page after the row whose sort key is ``last``."""
    text = json.dumps([_digest(request, last), *last], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position(request: Message, token: str) -> tuple[str | int, ...] | None:
    """Returns the sort key after which the page begins, or None for the first page.

    Raises InvalidArgument PAGE_TOKEN_INVALID for a token that was not made for these arguments.
    """
    if not token:
        return None
    try:
        digest, *last = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidArgument("PAGE_TOKEN_INVALID", "the page token can't be read") from error
    if not isinstance(digest, str) or not hmac.compare_digest(digest.encode(), _digest(request, last).encode()):
        raise InvalidArgument("PAGE_TOKEN_INVALID", "the page token belongs to another list")
    return tuple(last)
