"""Page tokens (AIP-158): opaque, URL-safe, bound to the arguments of the list they belong to."""

import base64
import binascii
import hashlib
import json

from google.protobuf.message import Message

from libs.errors import InvalidArgument

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000


def page_size(asked: int, maximum: int = MAX_PAGE_SIZE) -> int:
    """Returns the size to use: 0 means the default, too much is cut to ``maximum``."""
    return min(asked or DEFAULT_PAGE_SIZE, maximum)


def _arguments(request: Message) -> str:
    copy = type(request)()
    copy.CopyFrom(request)
    copy.ClearField("page_token")
    copy.ClearField("page_size")
    return hashlib.sha256(copy.SerializeToString(deterministic=True)).hexdigest()[:16]


def next_token(request: Message, *last: str | int) -> str:
    """Makes the token for the page after the row whose sort key is ``last``."""
    text = json.dumps([_arguments(request), *last], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position(request: Message, token: str) -> tuple[str | int, ...] | None:
    """Returns the sort key after which the page begins, or None for the first page.

    Raises InvalidArgument PAGE_TOKEN_INVALID for a token that was not made for these arguments.
    """
    if not token:
        return None
    try:
        arguments, *last = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidArgument("PAGE_TOKEN_INVALID", "the page token can't be read") from error
    if arguments != _arguments(request) or not all(isinstance(part, str | int) for part in last):
        raise InvalidArgument("PAGE_TOKEN_INVALID", "the page token belongs to another list")
    return tuple(last)
