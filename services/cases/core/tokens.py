"""Where a page begins of a list that is sorted by time and id, newest first."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from libs.db.paging import Pages


@dataclass(frozen=True, slots=True)
class PageStart:
    """The row before the first of a page; by default there is none before it."""

    time: datetime = datetime(9999, 12, 31, tzinfo=UTC)
    id: str = "ffffffff-ffff-ffff-ffff-ffffffffffff"

    @classmethod
    def of(cls, pages: Pages, request: Any) -> "PageStart":
        """Returns where the page of a request begins; raises PAGE_TOKEN_INVALID."""
        last = pages.position(request, request.page_token)
        return cls(datetime.fromisoformat(str(last[0])), str(last[1])) if last else cls()
