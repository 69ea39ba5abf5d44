"""Page tokens (AIP-158): opaque, URL-safe, bound to the arguments of the list they belong to, and not to be forged.

A forged sort key would reach the database as a value of the wrong type; so a token carries a keyed digest, under a key that
serves for nothing else, and says which list it is of: two lists whose arguments look alike don't take each other's.
"""

import base64
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from libs import outside
from libs.errors import reasons

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
_DIGEST_BYTES = 16
Row = TypeVar("Row")
Listing = Any
"""A request of AIP-158: a message with ``page_size`` and ``page_token``."""


def page_size(asked: int, maximum: int = MAX_PAGE_SIZE) -> int:
    """Returns the size to use: 0 means the default, too much is cut to ``maximum``."""
    return min(asked or DEFAULT_PAGE_SIZE, maximum)


class Pages:
    """The page tokens of one service; all its replicas have the same ``key``."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def next_token(self, request: Message, *last: str | int) -> str:
        """Makes the token for the page after the row whose sort key is ``last``."""
        text = json.dumps(last, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._digest(request, text) + text).decode().rstrip("=")

    def position(self, request: Listing, token: str) -> tuple[str | int, ...] | None:
        """Returns the sort key after which the page begins, or None for the first page.

        Nothing of a token is read before its digest holds.

        Raises InvalidArgument PAGE_TOKEN_INVALID for a token that was not made for these arguments.
        """
        if not token:
            return None
        try:
            content = outside.base64url(token)
        except outside.UnacceptableText as error:
            raise reasons.page_token_invalid("the page token can't be read") from error
        digest, last = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if not hmac.compare_digest(digest, self._digest(request, last)):
            raise reasons.page_token_invalid("the page token belongs to another list")
        return tuple(json.loads(last))

    def after(self, request: Listing) -> str | int | None:
        """Returns the one value that the sort key of :meth:`position` is made of, or None for the first page."""
        position = self.position(request, request.page_token)
        return position[0] if position else None

    async def cut(
        self,
        request: Listing,
        rows: Callable[[int], Awaitable[list[Row]]],
        key: Callable[[Row], tuple[str | int, ...]],
        maximum: int = MAX_PAGE_SIZE,
    ) -> tuple[list[Row], str]:
        """Returns the rows of one page and the token for the next, which is empty at the end.

        Args:
            request: what was asked.
            rows: reads at most so many rows.
            key: a row's sort key.
            maximum: the most rows of a page.
        """
        size = page_size(request.page_size, maximum)
        found = await rows(size + 1)
        shown = found[:size]
        return shown, self.next_token(request, *key(shown[-1])) if len(found) > size else ""

    def _digest(self, request: Message, last: bytes) -> bytes:
        copy = type(request)()
        copy.CopyFrom(request)
        for name in ("page_token", "page_size"):
            if name in copy.DESCRIPTOR.fields_by_name:
                copy.ClearField(name)
        parts = (copy.DESCRIPTOR.full_name.encode(), copy.SerializeToString(deterministic=True), last)
        text = b"".join(len(part).to_bytes(4) + part for part in parts)
        return hmac.digest(self._key, text, "sha256")[:_DIGEST_BYTES]
