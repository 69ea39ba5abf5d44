"""Credentials hold wherever the region is reached: what it calls itself stands in the file, beside the address that is called."""

import json
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from libs.client import PrivateKey


def _file(folder: Path, **more: str) -> Path:
    key = ECKey.generate_key("P-256", {"kid": "one"}, auto_kid=False)
    path = folder / "credentials.json"
    content = {"client_id": "administrator", "private_key_jwk": key.as_dict(private=True)}
    path.write_text(json.dumps(content | more), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("issuer", "audience"),
    [
        ("", "http://127.0.0.1:8080/oauth/token"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/oauth/token"),
        ("https://tongban.example", ["http://127.0.0.1:8080/oauth/token", "https://tongban.example"]),
    ],
)
def test_an_assertion_is_for_the_address_and_for_the_issuer(tmp_path: Path, issuer: str, audience: object) -> None:
    machine = PrivateKey.from_file(_file(tmp_path, **({"issuer": issuer} if issuer else {})))
    signed = machine.form("http://127.0.0.1:8080/oauth/token")["client_assertion"]
    claims = jwt.decode(signed, machine.key, algorithms=["ES256"]).claims
    assert claims["aud"] == audience
    assert (claims["iss"], claims["sub"]) == ("administrator", "administrator")
