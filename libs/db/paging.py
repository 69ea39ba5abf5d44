"""Page tokens (AIP-158): opaque, URL-safe, bound to the arguments of the list they belong to, and not to be forged.

A forged sort key would reach the database as a value of the wrong type; so a token carries a keyed digest, under a key that
serves for nothing else, and says which list it is of: two lists whose arguments look alike don't take each other's.
"""

import base64
import hmac
import json
import secrets

from google.protobuf.message import Message

from libs import outside
from libs.errors import InvalidArgument

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
_DIGEST_BYTES = 16


def page_size(asked: int, maximum: int = MAX_PAGE_SIZE) -> int:
    """Returns the size to use: 0 means the default, too much is cut to ``maximum``."""
    return min(asked or DEFAULT_PAGE_SIZE, maximum)


class _Key:
    """The key of this service's tokens; all replicas have the same."""

    value = secrets.token_bytes(32)


def configure(key: bytes) -> None:
    """Sets the key, which must be the same on all replicas of a service."""
    _Key.value = key


def _digest(request: Message, last: bytes) -> bytes:
    copy = type(request)()
    copy.CopyFrom(request)
    copy.ClearField("page_token")
    copy.ClearField("page_size")
    parts = (copy.DESCRIPTOR.full_name.encode(), copy.SerializeToString(deterministic=True), last)
    text = b"".join(len(part).to_bytes(4) + part for part in parts)
    return hmac.digest(_Key.value, text, "sha256")[:_DIGEST_BYTES]


def next_token(request: Message, *last: str | int) -> str:
    """Makes the token for the page after the row whose sort key is ``last``."""
    text = json.dumps(last, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(request, text) + text).decode().rstrip("=")


def position(request: Message, token: str) -> tuple[str | int, ...] | None:
    """Returns the sort key after which the page begins, or None for the first page.

    Nothing of a token is read before its digest holds.

    Raises InvalidArgument PAGE_TOKEN_INVALID for a token that was not made for these arguments.
    """
    if not token:
        return None
    try:
        content = outside.base64url(token)
    except outside.Unfit as error:
        raise InvalidArgument("PAGE_TOKEN_INVALID", "the page token can't be read") from error
    digest, last = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if not hmac.compare_digest(digest, _digest(request, last)):
        raise InvalidArgument("PAGE_TOKEN_INVALID", "the page token belongs to another list")
    return tuple(json.loads(last))
