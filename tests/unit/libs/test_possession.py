"""Proofs of possession: the examples of RFC 9449, every rule broken once, and what is used up."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from joserfc.jwk import ECKey, RSAKey

from libs.access.actor import Actor, from_claims
from libs.errors import Unauthenticated
from libs.rpc.call import Call
from libs.rpc.stages.caller import caller
from libs.security.once import UsedOnce
from libs.security.possession import ProofsOfPossession, RequestSeen, normalized
from tests.support.proof_keys import Holder, sha256

BASE, PATH = "https://region.test", "/v1/cases"
NOW = 1_700_000_000
OF_THE_RFC = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdC"
    "RnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
    "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ"
    ".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
"""RFC 9449, 4.1; made at 1562262616 for `POST https://server.example.com/token`."""
ITS_KEY = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
"""The thumbprint of its key, by RFC 9449, 6.1."""
OF_A_RESOURCE = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdC"
    "RnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
    "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhd"
    "CI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9."
    "2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
"""RFC 9449, 7.1; `GET https://resource.example.org/protectedresource` with the token below."""
ITS_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"


class _Clock:
    def __init__(self, seconds: float = NOW) -> None:
        self.seconds = seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


class _Used:
    """Remembers as Redis does, for as long as it is told to."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, float]] = {}

    async def take(self, _kind: str, issuer: str, jti: str, seconds: float, request: str = "") -> bool:
        name = f"{issuer} {jti}"
        if name in self.kept:
            return request != "" and self.kept[name][0] == request
        self.kept[name] = (request, seconds)
        return True


def _proofs(clock: _Clock | None = None, *bases: str, used: Any = None) -> ProofsOfPossession:
    return ProofsOfPossession(cast("Any", used or _Used()), clock or _Clock(), bases or (BASE,))


def _actor(key: str, token: str = "t") -> Actor:
    bound = {"cnf": {"jkt": key}} if key else {}
    return from_claims({"sub": "clients/erp", "actor_kind": "CLIENT", **bound}, token)


def _seen(proof: str, **changes: str) -> RequestSeen:
    return RequestSeen(**{"proof": proof, "method": "GET", "path": PATH, **changes})


async def _refused(proof: str, rule: str, actor: Actor | None = None, scheme: str = "DPoP", **changes: Any) -> None:
    with pytest.raises(Unauthenticated) as raised:
        await _proofs().require(actor or _actor("k"), scheme, _seen(proof, **changes))
    assert (raised.value.reason, raised.value.metadata) == ("POSSESSION_NOT_PROVEN", {"rule": rule})


async def test_the_example_of_the_rfc_proves_its_key() -> None:
    proofs = _proofs(_Clock(1562262616), "https://server.example.com")
    assert await proofs.key(RequestSeen(OF_THE_RFC, "POST", "/token")) == ITS_KEY


async def test_the_example_of_a_resource_goes_with_its_token_and_no_other() -> None:
    proofs = _proofs(_Clock(1562262618), "https://resource.example.org")
    seen = RequestSeen(OF_A_RESOURCE, "GET", "/protectedresource")
    await proofs.require(_actor(ITS_KEY, ITS_TOKEN), "DPoP", seen)
    with pytest.raises(Unauthenticated) as raised:
        await proofs.require(_actor(ITS_KEY, ITS_TOKEN + "x"), "DPoP", seen)
    assert raised.value.metadata == {"rule": "ath"}


async def test_a_bearer_s_token_needs_no_proof_and_is_not_brought_as_a_bound_one() -> None:
    await _proofs().require(_actor(""), "Bearer", _seen(""))
    await _refused(Holder().proof("GET", BASE + PATH, "t"), "unbound", _actor(""))


async def test_a_bound_token_without_a_proof_or_as_a_bearer_s_is_refused() -> None:
    holder = Holder()
    actor = _actor(holder.thumbprint)
    good = holder.proof("GET", BASE + PATH, "t", iat=NOW)
    await _proofs().require(actor, "dpop", _seen(good))
    await _refused("", "missing", actor)
    await _refused(good, "missing", actor, scheme="Bearer")
    await _refused(good, "key", _actor(Holder().thumbprint))


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("htm", {"htm": "POST"}),
        ("htm", {"htm": "get"}),
        ("htm", {"htm": None}),
        ("htu", {"htu": f"{BASE}/v1/cases/1"}),
        ("htu", {"htu": f"http://region.test{PATH}"}),
        ("htu", {"htu": f"https://region.test:8443{PATH}"}),
        ("htu", {"htu": f"https://region.test@evil.test{PATH}"}),
        ("htu", {"htu": PATH}),
        ("htu", {"htu": ""}),
        ("htu", {"htu": None}),
        ("htu", {"htu": ["https://region.test/v1/cases"]}),
        ("htu", {"htu": "https://[region/v1/cases"}),
        ("ath", {"ath": None}),
        ("ath", {"ath": sha256("another")}),
        ("iat", {"iat": NOW - 120}),
        ("iat", {"iat": NOW + 61}),
        ("iat", {"iat": str(NOW)}),
        ("iat", {"iat": True}),
        ("iat", {"iat": None}),
        ("jti", {"jti": None}),
        ("jti", {"jti": ""}),
        ("jti", {"jti": "x" * 201}),
        ("jti", {"jti": 7}),
    ],
)
async def test_what_a_proof_says_must_fit_the_request(rule: str, changes: dict[str, Any]) -> None:
    holder = Holder()
    proof = holder.proof("GET", BASE + PATH, "t", **{"iat": NOW, **changes})
    await _refused(proof, rule, _actor(holder.thumbprint))


@pytest.mark.parametrize("changes", [{"iat": NOW - 119}, {"iat": NOW + 60}, {"iat": NOW + 0.5}, {"jti": "x" * 200}])
async def test_it_holds_to_the_limit(changes: dict[str, Any]) -> None:
    holder = Holder()
    proof = holder.proof("GET", BASE + PATH, "t", **{"iat": NOW, **changes})
    await _proofs().require(_actor(holder.thumbprint), "DPoP", _seen(proof))


def _by(kind: Callable[[], Holder]) -> tuple[str, str]:
    holder = kind()
    return holder.proof("GET", BASE + PATH, "t", iat=NOW), holder.thumbprint


async def test_keys_of_the_kinds_of_the_list_are_taken_and_no_others() -> None:
    proof, key = _by(lambda: Holder(RSAKey.generate_key(2048), "PS256"))
    await _proofs().require(_actor(key), "DPoP", _seen(proof))
    for holder, rule in (
        (Holder(RSAKey.generate_key(2048), "RS256"), "alg"),
        (Holder(ECKey.generate_key("P-384"), "ES384"), "alg"),
    ):
        await _refused(holder.proof("GET", BASE + PATH, "t", iat=NOW), rule, _actor(holder.thumbprint))


@pytest.mark.parametrize(
    ("rule", "header"),
    [
        ("typ", {"typ": "JWT"}),
        ("typ", {"typ": "at+jwt"}),
        ("typ", {"typ": None}),
        ("jwk", {"jwk": None}),
        ("jwk", {"jwk": {"kty": "oct", "k": "AAAA"}}),
        ("jwk", {"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}),
        ("jwk", {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}),
        ("jwk", {"jwk": ECKey.generate_key("P-384").as_dict(private=False)}),
        ("jwk", {"jwk": ECKey.generate_key("P-256").as_dict(private=True)}),
        ("signature", {"jwk": ECKey.generate_key("P-256").as_dict(private=False)}),
    ],
)
async def test_its_header_must_bring_the_public_key_that_signed_it(rule: str, header: dict[str, Any]) -> None:
    holder = Holder()
    proof = holder.proof("GET", BASE + PATH, "t", header=header, iat=NOW)
    await _refused(proof, rule, _actor(holder.thumbprint))


def _in_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize(
    ("bits", "exponent"), [(2048, 3), (2048, 65539), (2048, 2**40 + 1), (2040, 65537), (4104, 65537)]
)
async def test_a_key_of_rsa_has_a_size_and_an_exponent_that_are_taken(bits: int, exponent: int) -> None:
    """The key is judged before the signature: what an odd one would sign need not be made."""
    modulus = (1 << (bits - 1)) + 1
    jwk = {
        "kty": "RSA",
        "n": _in_base64url(modulus.to_bytes((bits + 7) // 8)),
        "e": _in_base64url(exponent.to_bytes((exponent.bit_length() + 7) // 8)),
    }
    header = _in_base64url(json.dumps({"typ": "dpop+jwt", "alg": "PS256", "jwk": jwk}).encode())
    await _refused(f"{header}.{_in_base64url(b'{}')}.AAAA", "jwk")


@pytest.mark.parametrize("proof", ["x", "a.b.c", "e30.e30.", "x" * 5000])
async def test_what_is_no_jwt_is_none(proof: str) -> None:
    await _refused(proof, "form")


async def test_it_is_not_taken_unsigned() -> None:
    holder = Holder()
    head, body, _ = holder.proof("GET", BASE + PATH, "t", iat=NOW).split(".")
    await _refused(f"{head}.{body}.AAAA", "signature", _actor(holder.thumbprint))


async def test_a_proof_is_good_once_but_for_the_request_that_comes_again() -> None:
    holder, used = Holder(), _Used()
    proofs, actor = _proofs(used=used), _actor(holder.thumbprint)
    proof = holder.proof("GET", BASE + PATH, "t", iat=NOW)
    await proofs.require(actor, "DPoP", _seen(proof, request="one"))
    await proofs.require(actor, "DPoP", _seen(proof, request="one"))
    for request in ("two", ""):
        with pytest.raises(Unauthenticated) as raised:
            await proofs.require(actor, "DPoP", _seen(proof, request=request))
        assert raised.value.metadata == {"rule": "jti"}
    # Kept for as long as it would be taken: it was made now, and is for 60 seconds, and 60 more of the clocks.
    ((_, seconds),) = used.kept.values()
    assert seconds == 120


async def test_who_has_another_key_uses_nobody_s_proof_up() -> None:
    holder, used = Holder(), _Used()
    proof = holder.proof("GET", BASE + PATH, "t", iat=NOW)
    with pytest.raises(Unauthenticated):
        await _proofs(used=used).require(_actor(Holder().thumbprint), "DPoP", _seen(proof))
    assert not used.kept


async def test_without_a_proof_no_key_is_proven() -> None:
    assert await _proofs().key(_seen("")) == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HTTPS://Region.Test:443/v1/cases?x=1#y", "https://region.test/v1/cases"),
        ("http://region.test:80", "http://region.test/"),
        ("https://region.test/%7ea%2fb", "https://region.test/~a%2Fb"),
        ("https://[2001:DB8::1]/x", "https://[2001:db8::1]:443/x"),
    ],
)
def test_addresses_are_compared_as_rfc_3986_normalises_them(one: str, other: str) -> None:
    assert normalized(one) == normalized(other) != ""


@pytest.mark.parametrize(
    "said", [{}, {"jkt": ""}, {"jkt": 7}, {"x5t#S256": "k"}, {"jkt": "k", "x5t#S256": "k"}, "k", []]
)
def test_a_token_that_is_bound_by_what_is_not_known_is_nobody_s(said: object) -> None:
    with pytest.raises(ValueError, match="cnf"):
        from_claims({"sub": "clients/erp", "actor_kind": "CLIENT", "cnf": said}, "")


def test_what_the_gateway_says_of_a_call() -> None:
    plain = RequestSeen.of_call({"dpop": "p"}, "/tongban.cases.v1.CaseService/GetCase")
    assert plain == RequestSeen("p", "POST", "/tongban.cases.v1.CaseService/GetCase")
    told = {"x-tongban-method": "GET", "x-tongban-path": "/v1/cases?x=1", "x-tongban-request": "r"}
    assert RequestSeen.of_call({"dpop": "p", **told}, "/x") == RequestSeen("p", "GET", "/v1/cases", "r")


async def test_redis_that_does_not_answer_takes_nothing() -> None:
    class _Away:
        async def set(self, *_a: Any, **_n: Any) -> None:
            raise OSError

    used = UsedOnce(cast("Any", _Away()), "341500", "proofs")
    with pytest.raises(Exception, match="DEPENDENCY_UNAVAILABLE"):
        await used.take("dpop", "k", "j", 1)


async def _called(peers: set[str], proofs: ProofsOfPossession | None, key: str, **metadata: str) -> str:
    """OK, or by which rule the caller's stage refuses a call."""

    async def verify(_token: str) -> Actor:
        return _actor(key)

    async def handler(_request: object, _call: Call) -> Any:
        return "OK"

    method: Any = SimpleNamespace(access=None, descriptor=SimpleNamespace(client_streaming=False), path=PATH)
    call = Call(method, cast("Any", None), metadata, peers=frozenset(peers))
    stage = caller(cast("Any", SimpleNamespace(verify=verify)), proofs)
    try:
        return cast("str", await stage(method, handler)(None, call))
    except Unauthenticated as error:
        return error.metadata["rule"]


async def test_the_stage_asks_for_the_proof_where_a_token_comes_in() -> None:
    holder = Holder()
    shown = {"authorization": "DPoP t", "dpop": holder.proof("POST", BASE + PATH, "t", iat=NOW)}
    assert await _called({"gateway"}, _proofs(), holder.thumbprint, **shown) == "OK"
    bearer = {"authorization": "Bearer t"}
    assert await _called({"gateway"}, _proofs(), holder.thumbprint, **bearer) == "missing"
    assert await _called({"gateway", "cases"}, _proofs(), holder.thumbprint, **bearer) == "missing"
    # A neighbour passes on what was looked at.
    assert await _called({"cases"}, _proofs(), holder.thumbprint, **bearer) == "OK"
    # Who checks no proofs takes no bound token, whatever comes with it.
    assert await _called({"gateway"}, None, holder.thumbprint, **shown) == "missing"
    assert await _called({"gateway"}, None, "", **bearer) == "OK"
