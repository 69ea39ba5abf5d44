"""All that a service holds on somebody, in one file that it signs: read by the service's own handlers, as the person who asks.

What the person may not read by themselves is not in it, for the handlers decide as ever.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from libs.audit.records import rfc3339
from libs.errors import NotFound
from libs.owndata.holdings import HeldKind
from libs.rpc.call import Call, Handler

FORMAT = "tongban-own-data 1"
"""The form of the file, as its first member says it. No head of a log begins so: one key signs both."""
_PAGE = 200
_MOST_BYTES = 3 * 1024 * 1024
"""So much of a file is filled with what is held; what comes behind it in one page stands, too."""
Handlers = Mapping[str, Handler]


@dataclass(slots=True)
class _Room:
    """What is left in a file."""

    left: int

    def takes(self, item: Mapping[str, Any]) -> bool:
        """Says whether there was room for an item, and uses it up."""
        if self.left <= 0:
            return False
        self.left -= len(json.dumps(item, ensure_ascii=False).encode())
        return True


@dataclass(frozen=True, slots=True)
class OwnDataFile:
    """The file: its bytes, and whether all is in it."""

    content: bytes
    complete: bool


@dataclass(frozen=True, slots=True)
class OwnDataFiles:
    """Makes files of what one service holds.

    Attributes:
        region, service: whose file it is.
        kinds: what the service holds.
        handlers: the service's own, by the full name of the method.
    """

    region: str
    service: str
    kinds: Sequence[HeldKind]
    handlers: Handlers

    async def make(self, subject: str, uses: Handler, asked: Message, now: datetime, call: Call) -> OwnDataFile:
        """Makes the file of what is held on ``subject``; ``uses`` answers ``asked`` page by page."""
        room, kinds = _Room(_MOST_BYTES), []
        told = await _list(uses, asked, "uses", call, room)
        for kind in self.kinds:
            if kind.is_of(subject):
                found = await self._items(kind, subject, call, room)
                kinds.append({"type": f"tongban.cn/{kind.type}", "method": f"tongban.{kind.method}", **found})
        document = {
            "format": FORMAT,
            "region": self.region,
            "service": self.service,
            "subject": subject,
            "time": rfc3339(now),
            "kinds": kinds,
            "uses": told,
        }
        content = json.dumps(document, ensure_ascii=False, indent=1).encode()
        return OwnDataFile(content, all(each["complete"] for each in (told, *kinds)))

    async def _items(self, kind: HeldKind, subject: str, call: Call, room: _Room) -> dict[str, Any]:
        handler, request = self.handlers[f"tongban.{kind.method}"], kind.ask(subject)
        if "page_token" in request.DESCRIPTOR.fields_by_name:
            return await _list(handler, request, "", call, room)
        try:
            item = _plain(await handler(request, call))
        except NotFound:
            return {"complete": True, "items": []}
        return {"complete": True, "items": [item]} if room.takes(item) else {"complete": False, "items": []}


async def _list(handler: Handler, request: Message, name: str, call: Call, room: _Room) -> dict[str, Any]:
    """Reads a list to its end, or until there is no room; ``name`` is the field of its rows, where it is not the first."""
    items: list[Mapping[str, Any]] = []
    async for item in _rows(handler, request, name, call):
        if not room.takes(item):
            return {"complete": False, "items": items}
        items.append(item)
    return {"complete": True, "items": items}


async def _rows(handler: Handler, request: Any, name: str, call: Call) -> AsyncIterator[Mapping[str, Any]]:
    request.page_size = _PAGE
    while True:
        page: Any = await handler(request, call)
        field = name or next(each.name for each in page.DESCRIPTOR.fields if each.message_type is not None)
        for row in getattr(page, field):
            yield _plain(row)
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _plain(message: Message) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json_format.MessageToDict(message)
    return found
