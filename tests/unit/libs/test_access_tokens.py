"""Access tokens (RFC 9068): what is refused, and by which rule."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from libs.access.actor import ANONYMOUS, Actor, Standing, service_actor
from libs.clock import FakeClock
from libs.errors import Unauthenticated, Unavailable
from libs.security.jwks import RemoteKeys
from libs.security.tokens import TokenVerifier
from tests.support.tokens import Issuer

NOW = datetime(2024, 5, 6, 8, tzinfo=UTC)
ISSUER = "http://gateway.test"
ID = "00000000-0000-7000-8000-000000000001"
PERSON, CLERK, FIRM = f"persons/{ID}", f"staff/{ID}", f"organizations/{ID}"
MANDATE, DEPARTMENT = f"mandates/{ID}", f"departments/{ID}"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(ISSUER, "//341500")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def verifier(issuer: Issuer, clock: FakeClock) -> TokenVerifier:
    return TokenVerifier(issuer, issuer=ISSUER, audience="//341500", clock=clock)


def _token(issuer: Issuer, **claims: Any) -> str:
    kind = claims.pop("kind", "PERSON")
    return issuer.token(PERSON, kind, "cases.cases.get", **{"now": NOW.timestamp(), **claims})


async def _rule(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(Unauthenticated) as error:
        await verifier.verify(token)
    assert error.value.reason == "TOKEN_INVALID"
    return error.value.metadata["rule"]


def _part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


async def test_a_good_token_says_who_calls(verifier: TokenVerifier, issuer: Issuer) -> None:
    more = {"acr": "3", "org": FIRM, "mandate": MANDATE, "act": {"sub": CLERK}, "dept": DEPARTMENT, "posts": ["p"]}
    token = _token(issuer, kind="STAFF", **more)
    found = await verifier.verify(token)
    assert (found.subject, found.kind, found.assurance, found.delegate) == (PERSON, "STAFF", 3, CLERK)
    assert (found.organization, found.mandate, found.region) == (FIRM, MANDATE, "")
    assert (found.department, found.posts, found.client) == (DEPARTMENT, ("p",), "clients/test")
    assert found.scopes == {"cases.cases.get"}
    assert found.token == token
    assert token not in repr(found)


async def test_a_token_that_was_seen_is_refused_once_its_key_is_destroyed(
    issuer: Issuer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(_kid: str) -> ECKey | None:
        return None

    verifier = TokenVerifier(issuer, issuer=ISSUER, audience="//341500", clock=clock)
    token = _token(issuer)
    assert (await verifier.verify(token)).subject == PERSON
    with monkeypatch.context() as patch:
        patch.setattr(issuer, "key", gone)
        assert await _rule(verifier, token) == "kid"
    assert (await verifier.verify(token)).subject == PERSON


STANDINGS: list[tuple[str, str, dict[str, Any], Standing, str]] = [
    (PERSON, "PERSON", {}, Standing.PERSON, PERSON),
    (PERSON, "PERSON", {"org": FIRM}, Standing.PERSON, PERSON),
    (PERSON, "STAFF", {"act": {"sub": CLERK}}, Standing.PERSON, PERSON),
    (CLERK, "STAFF", {}, Standing.OFFICE, ""),
    ("clients/partner", "CLIENT", {}, Standing.CLIENT, ""),
    ("services/cases", "SERVICE", {}, Standing.SERVICE, ""),
    (f"//320402/{PERSON}", "PERSON", {"region": "320402"}, Standing.PERSON, f"//320402/{PERSON}"),
    ("//320402/services/cases", "REGION", {"region": "320402"}, Standing.REGION, ""),
    (f"//320402/{CLERK}", "REGION", {"region": "320402"}, Standing.REGION, ""),
    (
        f"//320402/{PERSON}",
        "REGION",
        {"region": "320402", "act": {"sub": "//320402/services/cases"}},
        Standing.REGION,
        "",
    ),
]


@pytest.mark.parametrize(("subject", "kind", "claims", "standing", "person"), STANDINGS)
async def test_a_caller_stands_for_what_the_subject_is(
    verifier: TokenVerifier,
    issuer: Issuer,
    subject: str,
    kind: str,
    claims: dict[str, Any],
    standing: Standing,
    person: str,
) -> None:
    found = await verifier.verify(issuer.token(subject, kind, now=NOW.timestamp(), **claims))
    assert (found.standing, found.person) == (standing, person)
    assert found.speaks_for == ({person, claims.get("org", person)} if person else set())


NOBODIES: list[tuple[str, str, dict[str, Any]]] = [
    *(
        (subject, kind, {})
        for kind in ("PERSON", "STAFF", "CLIENT", "SERVICE", "REGION", "")
        for subject in (
            " ",
            "anonymous",
            "persons/",
            "persons/1",
            "nobody",
            "//320402/nobody",
            "/persons/" + ID,
            "//",
            f"{PERSON}/",
            f"{PERSON}\n",
            f"persons//{ID}",
            f"people/{ID}",
            f"//32040/{PERSON}",
        )
    ),
    (PERSON, "CLIENT", {}),
    (PERSON, "SERVICE", {}),
    (PERSON, "STAFF", {}),
    (PERSON, "REGION", {}),
    (CLERK, "PERSON", {}),
    ("clients/partner", "PERSON", {}),
    ("clients/x", "CLIENT", {}),
    (f"//320402/{PERSON}", "PERSON", {}),
    (PERSON, "PERSON", {"region": "320402"}),
    (f"//320402/{PERSON}", "PERSON", {"region": "341500"}),
    (PERSON, "PERSON", {"act": {"sub": CLERK}}),
    (f"//320402/{CLERK}", "STAFF", {"region": "320402"}),
    (CLERK, "STAFF", {"act": {"sub": CLERK}}),
    (PERSON, "STAFF", {"act": {"sub": "nobody"}}),
    (PERSON, "STAFF", {"act": {"sub": f"//320402/{CLERK}"}}),
    (CLERK, "STAFF", {"dept": ""}),
    (CLERK, "STAFF", {"dept": None}),
    (CLERK, "STAFF", {"dept": "departments/"}),
    (PERSON, "PERSON", {"org": "nobody"}),
    (PERSON, "PERSON", {"org": "organizations/"}),
    (PERSON, "PERSON", {"org": f"//320402/{FIRM}"}),
    (PERSON, "PERSON", {"org": FIRM, "mandate": "mandates/"}),
    ("//320402/clients/partner", "REGION", {"region": "320402"}),
]


@pytest.mark.parametrize(("subject", "kind", "claims"), NOBODIES)
async def test_a_token_that_speaks_of_nobody_is_refused(
    verifier: TokenVerifier, issuer: Issuer, subject: str, kind: str, claims: dict[str, Any]
) -> None:
    assert await _rule(verifier, issuer.token(subject, kind, now=NOW.timestamp(), **claims)) == "sub"


@pytest.mark.parametrize("subject", ["", "nobody", "//320402/nobody", "persons/", "anonymous"])
@pytest.mark.parametrize("kind", ["PERSON", "STAFF", "CLIENT", "SERVICE", "REGION", ""])
def test_a_caller_of_no_shape_stands_for_nobody(subject: str, kind: str) -> None:
    """What a rule sees of a caller who came past the door, as anonymous ones do."""
    caller = Actor(subject, kind, frozenset({"*"}), organization=FIRM, department=DEPARTMENT, delegate=CLERK)
    assert caller.standing is Standing.NOBODY
    assert (caller.person, caller.office, caller.clerk, caller.speaks_for) == ("", "", "", frozenset())


async def test_a_list_of_audiences_may_hold_ours(verifier: TokenVerifier, issuer: Issuer) -> None:
    assert (await verifier.verify(_token(issuer, aud=["//1", "//341500"]))).subject == PERSON


@pytest.mark.parametrize(
    ("claims", "rule"),
    [
        ({"aud": "//320402"}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": "//34150"}, "aud"),
        ({"iss": "http://elsewhere.test"}, "iss"),
        ({"iss": None}, "iss"),
        ({"exp": NOW.timestamp().__int__() - 60}, "exp"),
        ({"exp": None}, "claims"),
        ({"exp": "9999999999"}, "claims"),
        ({"iat": NOW.timestamp().__int__() + 61}, "iat"),
        ({"nbf": NOW.timestamp().__int__() + 61}, "nbf"),
        ({"nbf": "0"}, "nbf"),
        ({"iat": None}, "claims"),
        ({"sub": None}, "claims"),
        ({"sub": ""}, "claims"),
        ({"typ": "JWT"}, "typ"),
        ({"typ": "at+jwt+x"}, "typ"),
        ({"kid": "another"}, "kid"),
    ],
)
async def test_what_does_not_hold_is_named(
    verifier: TokenVerifier, issuer: Issuer, claims: dict[str, Any], rule: str
) -> None:
    assert await _rule(verifier, _token(issuer, **claims)) == rule


async def test_sixty_seconds_of_skew_are_forgiven(verifier: TokenVerifier, issuer: Issuer) -> None:
    seconds = int(NOW.timestamp())
    await verifier.verify(_token(issuer, exp=seconds - 59))
    await verifier.verify(_token(issuer, iat=seconds + 60, nbf=seconds + 60))


async def test_an_unsigned_token_is_refused(verifier: TokenVerifier, issuer: Issuer) -> None:
    claims = _token(issuer).split(".")[1]
    for algorithm in ("none", "None", "NONE"):
        for signature in ("", "x"):
            header = _part({"alg": algorithm, "typ": "at+jwt", "kid": "test"})
            assert await _rule(verifier, f"{header}.{claims}.{signature}") in {"typ", "form"}


async def test_the_public_key_is_no_shared_secret(verifier: TokenVerifier, issuer: Issuer) -> None:
    """The classic confusion of algorithms: HS256 with the public key's bytes."""
    key = await issuer.key("test")
    assert key is not None
    signed = f"{_part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'test'})}.{_token(issuer).split('.')[1]}"
    mac = hmac.digest(key.as_pem(private=False), signed.encode(), "sha256")
    assert await _rule(verifier, f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}") == "typ"


async def test_another_key_of_the_same_name_is_refused(verifier: TokenVerifier) -> None:
    assert await _rule(verifier, _token(Issuer(ISSUER, "//341500"))) == "signature"


async def test_changed_claims_are_refused(verifier: TokenVerifier, issuer: Issuer) -> None:
    header, claims, signature = _token(issuer).split(".")
    content = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert await _rule(verifier, f"{header}.{_part({**content, 'scope': '*'})}.{signature}") == "signature"


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "a.b.c.d", "张三", "." * 10, _part([]) + ".x.x"])
async def test_nonsense_is_refused(verifier: TokenVerifier, token: str) -> None:
    assert await _rule(verifier, token) in {"form", "typ"}


async def test_an_oversize_token_is_refused(verifier: TokenVerifier) -> None:
    assert await _rule(verifier, "x" * 8193) == "size"


async def test_a_token_that_was_known_expires_all_the_same(
    verifier: TokenVerifier, issuer: Issuer, clock: FakeClock
) -> None:
    token = _token(issuer)
    assert await verifier.verify(token) is await verifier.verify(token)
    clock.advance(timedelta(seconds=660))
    assert await _rule(verifier, token) == "exp"
    assert await _rule(verifier, token) == "exp"


async def test_a_token_that_was_known_falls_with_its_key(verifier: TokenVerifier, issuer: Issuer) -> None:
    token = _token(issuer)
    await verifier.verify(token)
    issuer.drop()
    assert await _rule(verifier, token) == "kid"


def _principal(*scopes: str) -> Actor:
    return Actor(PERSON, "PERSON", frozenset(scopes))


@pytest.mark.parametrize(
    ("scope", "permission", "allowed"),
    [
        ("cases.cases.accept", "cases.cases.accept", True),
        ("cases.cases.accept", "cases.cases.acceptAll", False),
        ("cases.cases.*", "cases.cases.accept", True),
        ("cases.*", "cases.cases.accept", True),
        ("*", "cases.cases.accept", True),
        ("cases.cases.*", "cases.casesAndMore.get", False),
        ("cases*", "cases.cases.get", False),
        ("cases.ca*", "cases.cases.get", False),
        ("", "cases.cases.get", False),
        ("case.*", "cases.cases.get", False),
        (".*", "cases.cases.get", False),
        ("CASES.CASES.GET", "cases.cases.get", False),
    ],
)
def test_a_scope_covers_what_it_says(scope: str, permission: str, allowed: bool) -> None:
    assert _principal(scope).may(permission) is allowed


def test_nobody_may_nothing() -> None:
    assert not _principal().may("cases.cases.get")
    assert not ANONYMOUS.may("cases.cases.get")
    assert service_actor("cases", "license.licenses.get").may("license.licenses.get")
    assert not service_actor("cases", "license.licenses.get").may("license.licenses.list")
    assert not service_actor("cases").may("license.licenses.get")


class _Jwks:
    """Answers as the issuer's JWKS endpoint would, and counts."""

    def __init__(self, *kids: str) -> None:
        self.kids = list(kids)
        self.asked = 0
        self.status = 200

    def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        keys = [ECKey.generate_key("P-256", {"kid": kid}).as_dict(private=False) for kid in self.kids]
        return httpx.Response(self.status, json={"keys": keys})


async def _remote(jwks: _Jwks) -> RemoteKeys:
    keys = RemoteKeys("http://issuer.test/jwks")
    await keys.close()
    keys._client = httpx.AsyncClient(transport=httpx.MockTransport(jwks))
    return keys


async def test_keys_are_read_once_and_again_after_a_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    rested: list[float] = []

    async def rest(seconds: float) -> None:
        rested.append(seconds)

    monkeypatch.setattr("libs.security.jwks._rest", rest)
    jwks = _Jwks("a")
    keys = await _remote(jwks)
    assert await keys.key("a") is not None
    assert await keys.key("a") is not None
    assert jwks.asked == 1
    jwks.kids.append("b")
    assert await keys.key("b") is not None
    assert 0 < rested[-1] <= 1, "a forged kid may not ask again at once"
    assert jwks.asked == 2
    await keys.close()


async def test_an_issuer_that_is_away_is_no_unknown_key() -> None:
    jwks = _Jwks("a")
    jwks.status = 503
    keys = await _remote(jwks)
    with pytest.raises(Unavailable) as error:
        await keys.key("a")
    assert error.value.metadata == {"dependency": "identity"}
    await keys.close()
