"""What a request says stands in one place and in one shape: what two readers could read in two ways is refused."""

from typing import Any

import httpx
import pytest

from services.gateway.contracts import read_image, services
from services.gateway.http_paths import path_of
from tests.support.contracts import find_message
from tests.support.gate import path_like, violation_of, violations_of

Json = dict[str, Any]
_ACCEPT = "/v1/cases/00000000-0000-7000-8000-000000000001:accept"
_NAME = "cases/00000000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("verb", "path", "body", "field", "rule"),
    [
        ("GET", "/v1/audit/identity/auditHead?treeSize=1&treeSize=2", None, "treeSize", "query.duplicate_parameter"),
        ("GET", "/v1/audit/identity/auditHead?treeSize=1&tree_size=1", None, "tree_size", "query.duplicate_parameter"),
        ("GET", "/v1/audit/identity/auditHead?treeSize=1&tree%53ize=1", None, "treeSize", "query.duplicate_parameter"),
        ("GET", "/v1/audit/identity/auditHead?name=license/auditHead", None, "name", "query.bound_by_path"),
        ("GET", "/v1/audit/identity/auditHead?name=identity/auditHead", None, "name", "query.bound_by_path"),
        ("POST", "/v1/organizations?requestId=1", b'{"requestId":"2"}', "requestId", "query.beside_body"),
        ("POST", "/v1/organizations?organization.kind=1", b"{}", "organization.kind", "query.beside_body"),
        ("POST", _ACCEPT, b'{"name":"cases/2"}', "name", "json.bound_by_path"),
        ("POST", _ACCEPT, f'{{"name":"{_NAME}"}}'.encode(), "name", "json.bound_by_path"),
        ("POST", f"{_ACCEPT}?name=cases/2", b"{}", "name", "query.bound_by_path"),
        ("POST", "/v1/licenses", b'{"faceFields":{"a":"1","a":"2"}}', "faceFields.a", "json.duplicate_field"),
        ("POST", "/v1/licenses", b'{"faceFields":{"\\u0041":"1","A":"2"}}', "faceFields.A", "json.duplicate_field"),
        (
            "POST",
            "/v1/licenses",
            b'{"faceFields":{"\\u4e2d":"1","\xe4\xb8\xad":"2"}}',
            "faceFields.???",
            "json.duplicate_field",
        ),
        (
            "POST",
            "/v1/licenses",
            b'{"faceFields":{"\\ud842\\udfb7":"","\xf0\xa0\xae\xb7":""}}',
            "faceFields.????",
            "json.duplicate_field",
        ),
    ],
)
def test_no_field_is_said_in_two_places(
    client: httpx.Client, bearer: dict[str, str], verb: str, path: str, body: bytes | None, field: str, rule: str
) -> None:
    violation = violation_of(client.request(verb, path, content=body, headers=bearer))
    assert (violation["field"], violation["reason"]) == (field, rule)


def _put(said: object, odd: object) -> object:
    """The same with something odd in the place of the text."""
    return {name: _put(within, odd) for name, within in said.items()} if isinstance(said, dict) else odd


def test_what_the_path_says_can_be_said_nowhere_else(client: httpx.Client, bearer: dict[str, str]) -> None:
    """Of every method: what its path binds, said in the query or in the body too, is refused even if it is the same."""
    for service in services(read_image()):
        for rpc in service.public_rpcs:
            for verb, template, body in rpc.http:
                _, _, bound = path_of(template)
                for field in bound:
                    answer = client.request(verb, f"{path_like(template)}?{field}=x", headers=bearer)
                    assert violation_of(answer)["reason"] == "query.bound_by_path", rpc.path
                    if body:
                        said: object = "x"
                        for name in reversed(field.split(".")):
                            said = {name: said}
                        answer = client.request(verb, path_like(template), json=said, headers=bearer)
                        assert violation_of(answer)["reason"] == "json.bound_by_path", rpc.path
                        for odd in ({}, {"x": {"": None}}, [{"x": 1}], None, 1):
                            answer = client.request(verb, path_like(template), json=_put(said, odd), headers=bearer)
                            assert violations_of(answer)[0]["reason"] == "json.bound_by_path", (rpc.path, odd)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/statistics:query", {"dimensions": [[None, None]]}, "dimensions[0]"),
        ("/v1/statistics:query", {"dimensions": ["DIMENSION_ITEM", [["DIMENSION_ITEM"]]]}, "dimensions[1]"),
        ("/v1/licenses:batchGet", {"names": [["licenses/1"]]}, "names[0]"),
        ("/v1/licenses", {"requestId": []}, "requestId"),
        ("/v1/licenses", {"faceFields": []}, "faceFields"),
        ("/v1/licenses", {"holders": [[{}]]}, "holders[0]"),
        ("/v1/organizations", {"organization": [{}]}, "organization"),
    ],
)
def test_a_list_stands_only_where_the_contract_has_one(
    client: httpx.Client, bearer: dict[str, str], path: str, body: Json, field: str
) -> None:
    """The transcoder takes a list within a list apart: `[[null]]` was no dimension at all."""
    found = [(each["field"], each["reason"]) for each in violations_of(client.post(path, json=body, headers=bearer))]
    assert (field, "json.list") in found


def test_lists_may_stand_more_than_once(client: httpx.Client, bearer: dict[str, str]) -> None:
    for service in services(read_image()):
        for rpc in service.public_rpcs:
            for verb, template, _ in rpc.http:
                for name in _lists(rpc.descriptor.input_type) if verb == "GET" else ():
                    answer = client.get(f"{path_like(template)}?{name}=&{name}=", headers=bearer)
                    assert "duplicate" not in answer.text


def _lists(message: str) -> list[str]:
    fields = find_message(message.lstrip(".")).fields
    return [str(field.name) for field in fields if field.is_repeated and field.message_type is None]
