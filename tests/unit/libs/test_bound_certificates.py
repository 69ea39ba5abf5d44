"""Tokens that are bound to a certificate: what they say, and with what they are taken (RFC 8705)."""

import base64
import hashlib
from types import SimpleNamespace
from typing import Any, cast

import pytest

from libs.access.actor import Actor
from libs.access.bound_keys import bound_key, confirmation, is_certificate, of_certificate, require_same, scheme_of
from libs.errors import Unauthenticated
from libs.rpc.json_edge import hints
from libs.security.client_certificates import presented
from libs.security.once import UsedOnce
from libs.security.possession import ProofsOfPossession, RequestSeen

DIGEST = hashlib.sha256(b"certificate").hexdigest()
THUMBPRINT = base64.urlsafe_b64encode(hashlib.sha256(b"certificate").digest()).decode().rstrip("=")
BOUND = of_certificate(THUMBPRINT)
OTHER = of_certificate("A" * 43)
OF_THE_RFC = {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}
"""RFC 8705, 3.1."""


def test_what_a_token_says_is_read_as_it_was_written() -> None:
    assert confirmation(bound_key(OF_THE_RFC)) == OF_THE_RFC
    assert confirmation(bound_key({"jkt": "k"})) == {"jkt": "k"}
    assert (confirmation(""), bound_key(None)) == ({}, "")


@pytest.mark.parametrize(
    "said",
    [
        {"x5t#S256": "short"},
        {"x5t#S256": "A" * 44},
        {"x5t#S256": f"{'A' * 43}\n"},
        {"x5t#S256": 1},
        {"x5t": "A" * 43},
        {"jkt": BOUND},
        {"jkt": "k", **OF_THE_RFC},
    ],
)
def test_what_binds_by_something_else_is_never_taken_for_a_bearer_s(said: object) -> None:
    with pytest.raises(ValueError, match="cnf"):
        bound_key(said)


def test_a_key_is_no_certificate() -> None:
    assert is_certificate(BOUND)
    assert not is_certificate(THUMBPRINT)
    assert [scheme_of(each) for each in ("", BOUND, THUMBPRINT)] == ["Bearer", "Bearer", "DPoP"]


@pytest.mark.parametrize(
    "told",
    [f"Hash={DIGEST}", f"By=spiffe://x/y;Hash={DIGEST}", f"hash={DIGEST.upper()}", f'Hash={DIGEST};Subject="CN=a"'],
)
def test_the_gateway_tells_of_one_certificate(told: str) -> None:
    assert presented(told) == BOUND


@pytest.mark.parametrize(
    "told",
    [
        "",
        "Hash=",
        f"Hash={DIGEST[:-1]}",
        f"Hash={DIGEST}0",
        f"XHash={DIGEST}",
        f"Hash={DIGEST},Hash={DIGEST}",
        f"Hash={DIGEST};Hash={DIGEST}",
        f"Hash={'0' * 64},Hash={DIGEST}",
    ],
)
def test_of_none_or_several_none_counts(told: str) -> None:
    assert presented(told) == ""


@pytest.mark.parametrize(
    ("bound", "proven", "reason", "rule"),
    [
        (BOUND, "", "CERTIFICATE_NOT_PRESENTED", "missing"),
        (BOUND, THUMBPRINT, "CERTIFICATE_NOT_PRESENTED", "missing"),
        (BOUND, OTHER, "CERTIFICATE_NOT_PRESENTED", "other"),
        (THUMBPRINT, "", "POSSESSION_NOT_PROVEN", "key"),
        (THUMBPRINT, BOUND, "POSSESSION_NOT_PROVEN", "key"),
    ],
)
def test_who_has_something_else_has_nothing(bound: str, proven: str, reason: str, rule: str) -> None:
    with pytest.raises(Unauthenticated) as raised:
        require_same(bound, proven)
    assert (raised.value.reason, raised.value.metadata) == (reason, {"rule": rule})


def test_a_bearer_s_token_is_anybody_s() -> None:
    for proven in ("", BOUND, THUMBPRINT):
        require_same("", proven)
    require_same(BOUND, BOUND)


def _proofs() -> ProofsOfPossession:
    clock: Any = SimpleNamespace()
    return ProofsOfPossession(cast(UsedOnce, SimpleNamespace()), clock, ["https://region.test"])


async def _refused(bound: str, scheme: str, **seen: str) -> tuple[str, str]:
    actor = Actor("clients/a", "CLIENT", frozenset(), bound_key=bound)
    try:
        await _proofs().require(actor, scheme, RequestSeen(**{"proof": "", "method": "POST", "path": "/", **seen}))
    except Unauthenticated as error:
        return error.reason, error.metadata["rule"]
    return "OK", ""


async def test_a_token_is_taken_with_its_certificate_alone() -> None:
    """Neither Redis nor a clock is asked."""
    assert await _refused(BOUND, "Bearer", certificate=BOUND) == ("OK", "")
    assert await _refused(BOUND, "Bearer") == ("CERTIFICATE_NOT_PRESENTED", "missing")
    assert await _refused(BOUND, "Bearer", proof="a proof") == ("CERTIFICATE_NOT_PRESENTED", "missing")
    assert await _refused(BOUND, "Bearer", certificate=OTHER) == ("CERTIFICATE_NOT_PRESENTED", "other")
    assert await _refused(BOUND, "DPoP", certificate=BOUND) == ("POSSESSION_NOT_PROVEN", "unbound")
    assert await _refused("", "Bearer", certificate=BOUND) == ("OK", "")
    assert await _refused(THUMBPRINT, "Bearer", certificate=BOUND) == ("POSSESSION_NOT_PROVEN", "missing")
    assert await _refused(THUMBPRINT, "DPoP", certificate=BOUND) == ("POSSESSION_NOT_PROVEN", "missing")


async def test_tokens_are_bound_to_what_comes_with_the_request() -> None:
    assert await _proofs().bound(RequestSeen("", "POST", "/", certificate=BOUND)) == BOUND
    assert await _proofs().bound(RequestSeen("", "POST", "/")) == ""


def test_a_call_brings_what_the_gateway_told_of_it() -> None:
    assert RequestSeen.of_call({"x-forwarded-client-cert": f"Hash={DIGEST}"}, "/p").certificate == BOUND
    assert RequestSeen.of_call({}, "/p").certificate == ""


def test_http_is_told_that_the_token_is_no_good_so() -> None:
    with pytest.raises(Unauthenticated) as raised:
        require_same(BOUND, "")
    assert hints(raised.value) == (("www-authenticate", 'Bearer realm="tongban", error="invalid_token"'),)
