"""What our client brings where its tokens are bound: proofs that the region's own check takes, for each request its own."""

from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from libs import outside
from libs.client import ClientSecret, ProofKey
from libs.client.connection import Connection
from libs.rpc.contract import Method, method_of
from tests.support.proof_keys import sha256
from tongban.cases.v1 import case_service_pb2
from tongban.identity.v1 import token_service_pb2

URL = "https://region.test"
SUBMIT = "/tongban.cases.v1.CaseService/SubmitCase"
EXCHANGE = "/tongban.identity.v1.TokenService/ExchangeToken"


def _method(request: Any) -> Method:
    found = method_of(request.DESCRIPTOR)
    assert found is not None
    return found


def _token(**claims: Any) -> str:
    return jwt.encode({"alg": "ES256"}, {"sub": "x", **claims}, ECKey.generate_key("P-256"))


def _brought(key: ProofKey | None, token: str, request: Any) -> dict[str, str]:
    connection = Connection(URL, proof_key=key)
    return dict(connection._metadata(_method(request), token))


def _claims(proof: str) -> dict[str, Any]:
    # The key that it brings is the one that signed it.
    return dict(jwt.decode(proof, ECKey.import_key(_header(proof)["jwk"]), algorithms=["ES256"]).claims)


def _header(proof: str) -> dict[str, Any]:
    return outside.jwt_parts(proof, 4096)[0]


async def test_a_token_that_is_bound_to_our_key_goes_with_a_proof_for_the_call() -> None:
    key = ProofKey()
    token = _token(cnf={"jkt": key.thumbprint})
    brought = _brought(key, token, case_service_pb2.SubmitCaseRequest())
    assert brought["authorization"] == f"DPoP {token}"
    said = _claims(brought["dpop"])
    assert (said["htm"], said["htu"], said["ath"]) == ("POST", f"{URL}{SUBMIT}", sha256(token))
    assert _header(brought["dpop"])["typ"] == "dpop+jwt"
    assert _claims(_brought(key, token, case_service_pb2.SubmitCaseRequest())["dpop"])["jti"] != said["jti"]


async def test_any_other_token_goes_as_a_bearer_s() -> None:
    for token in (_token(), _token(cnf={"jkt": ProofKey().thumbprint}), _token(cnf="k"), "opaque"):
        brought = _brought(ProofKey(), token, case_service_pb2.SubmitCaseRequest())
        assert brought == {"authorization": f"Bearer {token}"}
    key = ProofKey()
    token = _token(cnf={"jkt": key.thumbprint})
    assert _brought(None, token, case_service_pb2.SubmitCaseRequest()) == {"authorization": f"Bearer {token}"}


async def test_an_exchange_proves_the_key_without_a_token() -> None:
    brought = _brought(ProofKey(), "", token_service_pb2.ExchangeTokenRequest())
    said = _claims(brought["dpop"])
    assert (list(brought), said["htu"], "ath" in said) == (["dpop"], f"{URL}{EXCHANGE}", False)
    assert _brought(ProofKey(), "", case_service_pb2.SubmitCaseRequest()) == {}


async def test_tokens_are_asked_for_with_a_proof() -> None:
    asked: list[httpx.Request] = []

    def endpoint(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"access_token": "t", "expires_in": 600})

    for key in (ProofKey(), None):
        connection = Connection(URL, proof_key=key)
        connection.http = httpx.AsyncClient(base_url=URL, transport=httpx.MockTransport(endpoint))
        await connection.grant(ClientSecret("erp", "s").form(URL), 10)
    said = _claims(asked[0].headers["dpop"])
    assert (said["htm"], said["htu"]) == ("POST", f"{URL}/oauth/token")
    assert "dpop" not in asked[1].headers


def test_a_key_is_not_written_down() -> None:
    own = ECKey.generate_key("P-256")
    key = ProofKey(own)
    assert repr(key) == f"ProofKey('{key.thumbprint}')"
    assert key.thumbprint == own.thumbprint()
