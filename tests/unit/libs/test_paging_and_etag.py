"""Page tokens are bound to their list; etags to a version."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.db import paging
from libs.db.etag import check_etag, etag_of
from libs.errors import Aborted, InvalidArgument
from tongban.audit.v1.audit_service_pb2 import ListAuditRecordsRequest
from tongban.identity.v1.client_service_pb2 import ListClientsRequest
from tongban.identity.v1.region_service_pb2 import ListRegionsRequest

REQUEST = ListAuditRecordsRequest(parent="cases", filter="object = cases/1", page_size=10)
PAGES = paging.Pages(b"k" * 32)


@pytest.mark.parametrize(("asked", "used"), [(0, 50), (1, 1), (1000, 1000), (1001, 1000)])
def test_page_sizes_are_bounded(asked: int, used: int) -> None:
    assert paging.page_size(asked) == used


def test_a_method_may_have_a_smaller_maximum() -> None:
    assert paging.page_size(0, 20) == 20


@given(st.lists(st.text(max_size=40) | st.integers(), min_size=1, max_size=3))
def test_a_token_brings_its_position_back(last: list[str | int]) -> None:
    token = PAGES.next_token(REQUEST, *last)
    assert PAGES.position(REQUEST, token) == tuple(last)
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_the_first_page_has_no_position() -> None:
    assert PAGES.position(REQUEST, "") is None


def test_the_size_of_a_page_may_change_between_pages() -> None:
    token = PAGES.next_token(REQUEST, 7)
    other = ListAuditRecordsRequest(parent="cases", filter="object = cases/1", page_size=99, page_token=token)
    assert PAGES.position(other, token) == (7,)


def test_a_token_of_another_list_is_refused() -> None:
    token = PAGES.next_token(REQUEST, 7)
    with pytest.raises(InvalidArgument) as error:
        PAGES.position(ListAuditRecordsRequest(parent="cases", filter="object = cases/2"), token)
    assert error.value.reason == "PAGE_TOKEN_INVALID"


def test_a_token_of_another_method_whose_arguments_look_alike_is_refused() -> None:
    token = PAGES.next_token(ListClientsRequest(), "a")
    with pytest.raises(InvalidArgument):
        PAGES.position(ListRegionsRequest(), token)


def test_nothing_moves_between_the_arguments_and_the_position() -> None:
    """The same bytes, cut elsewhere, are another token."""
    kept = ListRegionsRequest(filter="state = REGION_STATE_ACTIVE")
    token = base64.urlsafe_b64decode(PAGES.next_token(kept, "a") + "===")
    moved = token[:16] + kept.SerializeToString(deterministic=True) + token[16:]
    forged = base64.urlsafe_b64encode(moved).decode().rstrip("=")
    with pytest.raises(InvalidArgument):
        PAGES.position(ListRegionsRequest(), forged)


def _encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token", ["x", "!!!!", "æøå", _encoded({}), _encoded([]), _encoded(7), _encoded(["0" * 16, {}]), "A" * 500]
)
def test_forged_tokens_are_refused(token: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        PAGES.position(REQUEST, token)
    assert error.value.reason == "PAGE_TOKEN_INVALID"


@given(st.text(max_size=60).filter(bool))
def test_no_text_breaks_the_reader(token: str) -> None:
    with pytest.raises(InvalidArgument):
        PAGES.position(REQUEST, token)


def _forged(request: ListAuditRecordsRequest, last: object) -> str:
    """A token with another sort key under the digest of a good one."""
    digest = base64.urlsafe_b64decode(PAGES.next_token(request, 7) + "==")[:16]
    return base64.urlsafe_b64encode(digest + json.dumps(last, separators=(",", ":")).encode()).decode().rstrip("=")


def test_positions_of_other_types_are_refused() -> None:
    assert PAGES.position(REQUEST, _forged(REQUEST, [7])) == (7,), "the forger knows the form"
    for last in ([None], [1.5], [[1]], "x", 7):
        with pytest.raises(InvalidArgument):
            PAGES.position(REQUEST, _forged(REQUEST, last))


def test_an_absent_etag_is_allowed_and_a_wrong_one_is_not() -> None:
    check_etag("cases/1", 3, "")
    check_etag("cases/1", 3, etag_of(3))
    with pytest.raises(Aborted) as error:
        check_etag("cases/1", 4, etag_of(3))
    assert (error.value.reason, error.value.metadata) == ("ETAG_MISMATCH", {"resource": "cases/1"})


def test_a_token_with_another_sort_key_is_refused() -> None:
    """Whoever reads a token can write one like it, but not its digest."""
    request = ListAuditRecordsRequest(parent="seal")
    for last in (["x"], [], [8], [None], [[1]]):
        with pytest.raises(InvalidArgument) as error:
            PAGES.position(request, _forged(request, last))
        assert error.value.reason == "PAGE_TOKEN_INVALID"
