"""How browsers sign in to the region's own pages: what they keep is ours alone to read, and good for one browser and a while."""

import base64
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from libs.errors import Unavailable
from services.gateway.my import signing_in
from services.gateway.my.signing_in import PERMISSIONS, NotSignedIn, PeopleSignIn
from services.identity.core.client_rules import OF_OWN_PAGES, OWN_PAGES_CALLBACK

BASE, PERSON, SID = (
    "https://region.test",
    "persons/018f0000-0000-7000-8000-000000000001",
    "018f0000-0000-7000-8000-00000000000a",
)
Answer = Callable[[httpx.Request], httpx.Response]


def _key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})


def _credentials(folder: Path, key: ECKey) -> Path:
    file = folder / "my-pages.json"
    content = {"client_id": "my-pages", "issuer": BASE, "private_key_jwk": key.as_dict(private=True)}
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def _token(seconds: int = 600) -> str:
    now = int(time.time())
    claims = {"sub": PERSON, "sid": SID, "iat": now, "exp": now + seconds}
    return jwt.encode({"alg": "ES256"}, claims, _key())


class Identity:
    """The token endpoint, and what it was asked."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.asked: list[dict[str, str]] = []
        self.hosts: list[str] = []
        self._answer = answer or (lambda _request: httpx.Response(200, json={"access_token": _token()}))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.hosts.append(request.url.host)
        self.asked.append({name: value for name, (value,) in parse_qs(request.content.decode()).items()})
        return self._answer(request)


def _sign_in(folder: Path, identity: Identity, key: ECKey | None = None) -> PeopleSignIn:
    http = httpx.AsyncClient(transport=httpx.MockTransport(identity))
    return PeopleSignIn(_credentials(folder, key or _key()), BASE, ["http://one", "http://two"], http)


def _asked(location: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(location).query).items()}


def test_what_is_asked_for_is_what_identity_gives_these_pages() -> None:
    assert PERMISSIONS == OF_OWN_PAGES
    assert signing_in.CALLBACK == OWN_PAGES_CALLBACK


async def test_the_way_there_and_back(tmp_path: Path) -> None:
    identity = Identity()
    sign_in = _sign_in(tmp_path, identity)
    location, kept = sign_in.begin("/my/uses", "en")
    asked = _asked(location)
    assert (asked["client_id"], asked["redirect_uri"], asked["ui_locales"]) == ("my-pages", f"{BASE}/my/callback", "en")
    assert asked["scope"].split()[0] == "openid"
    to, session = await sign_in.finish(kept, {"state": asked["state"], "code": "c", "iss": BASE})
    (form,) = identity.asked
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
    assert to == "/my/uses"
    found = sign_in.known(session)
    assert found is not None
    assert (found.person, found.session) == (PERSON, f"sessions/{SID}")
    assert found.token not in session


@pytest.mark.parametrize(
    "brought",
    [
        {"state": "another", "code": "c"},
        {"code": "c"},
        {"state": "right"},
        {"state": "right", "code": "c", "iss": "https://evil.test"},
        {"state": "right", "error": "access_denied"},
    ],
)
async def test_who_brings_something_else_is_not_signed_in(tmp_path: Path, brought: dict[str, str]) -> None:
    identity = Identity()
    sign_in = _sign_in(tmp_path, identity)
    location, kept = sign_in.begin("/my", "zh-CN")
    said = {name: _asked(location)["state"] if value == "right" else value for name, value in brought.items()}
    with pytest.raises(NotSignedIn):
        await sign_in.finish(kept, said)
    assert not identity.asked


async def test_another_browser_and_a_later_hour_bring_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in = _sign_in(tmp_path, Identity())
    location, kept = sign_in.begin("/my", "zh-CN")
    right = {"state": _asked(location)["state"], "code": "c"}
    for wrong in ("", "x.y.z", kept[:-4] + "AAAA"):
        with pytest.raises(NotSignedIn):
            await sign_in.finish(wrong, right)
    _, session = await sign_in.finish(kept, right)
    with pytest.raises(NotSignedIn):
        await sign_in.finish(session, right)
    assert sign_in.known(kept) is None, "what was kept for the way is no session"
    later = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: later)
    assert sign_in.known(session) is None
    with pytest.raises(NotSignedIn):
        await sign_in.finish(kept, right)


async def test_a_new_key_ends_what_the_old_one_kept(tmp_path: Path) -> None:
    sign_in = _sign_in(tmp_path, Identity())
    location, kept = sign_in.begin("/my", "zh-CN")
    _, session = await sign_in.finish(kept, {"state": _asked(location)["state"], "code": "c"})
    _credentials(tmp_path, _key())
    assert sign_in.known(session) is None


def _away(request: httpx.Request) -> httpx.Response:
    if request.url.host == "one":
        raise httpx.ConnectError("refused")
    return httpx.Response(200, json={"access_token": _token()})


async def _finished(folder: Path, answer: Answer) -> tuple[Any, list[str]]:
    identity = Identity(answer)
    sign_in = _sign_in(folder, identity)
    location, kept = sign_in.begin("/my", "zh-CN")
    found = await sign_in.finish(kept, {"state": _asked(location)["state"], "code": "c"})
    return found, identity.hosts


async def test_a_replica_that_is_away_is_passed_over(tmp_path: Path) -> None:
    (to, _), hosts = await _finished(tmp_path, _away)
    assert (to, hosts) == ("/my", ["one", "two"])


@pytest.mark.parametrize(
    ("status", "error"), [(400, NotSignedIn), (401, NotSignedIn), (500, Unavailable), (503, Unavailable)]
)
async def test_what_identity_refuses_is_no_sign_in_and_its_faults_are_told(
    tmp_path: Path, status: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await _finished(tmp_path, lambda _request: httpx.Response(status, json={"error": "invalid_grant"}))


async def test_a_code_goes_to_one_replica_once(tmp_path: Path) -> None:
    def broken(_request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("no answer")

    with pytest.raises(Unavailable):
        await _finished(tmp_path, broken)


def test_without_credentials_nobody_is_sent_anywhere(tmp_path: Path) -> None:
    sign_in = PeopleSignIn(tmp_path / "none.json", BASE, ["http://one"])
    with pytest.raises(Unavailable):
        sign_in.begin("/my", "zh-CN")


def test_what_a_later_release_kept_beside_it_is_passed_over(tmp_path: Path) -> None:
    sign_in = _sign_in(tmp_path, Identity())
    kept = signing_in._told(_token()) | {"theme": "dark"}
    found = sign_in.known(sign_in._sealed("session", kept))
    assert found is not None and found.person == PERSON
