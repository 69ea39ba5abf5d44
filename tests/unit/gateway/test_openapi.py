"""The OpenAPI document says what the contracts say."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from libs.rpc import refusals
from libs.rpc.stages.validation import check
from services.gateway.contracts import read_image, services
from services.gateway.http_paths import part_patterns, path_of
from services.gateway.openapi import document, operations
from services.gateway.schemas import Json
from tests.support import contracts, requests
from tongban.common.v1 import value_pb2


@pytest.fixture(scope="module")
def made() -> Json:
    return document(read_image(), "http://127.0.0.1:8080", "六安市", "0.0.0")


def test_it_is_valid(made: Json) -> None:
    validate(made)


def test_every_public_method_has_its_operation_and_no_internal_one_has(made: Json) -> None:
    told = {operation["x-grpc-method"] for _, _, operation in operations(made)}
    known = services(read_image())
    assert told == {rpc.path[1:] for service in known for rpc in service.public_rpcs if rpc.http}
    assert not told & {rpc.path[1:] for service in known for rpc in service.rpcs if rpc.internal}


def test_a_stream_is_an_array_of_its_messages(made: Json) -> None:
    """As the transcoder reads and writes it."""
    seen = set()
    for _, _, operation in operations(made):
        method = next((each for each in contracts.methods() if each.path[1:] == operation.get("x-grpc-method")), None)
        if method is None or "content" not in operation["responses"].get("200", {}):
            continue
        answer = operation["responses"]["200"]["content"].get("application/json", {}).get("schema", {})
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        assert (answer.get("type") == "array") is (method.descriptor.server_streaming and bool(answer)), method.name
        assert (body.get("type") == "array") is method.descriptor.client_streaming, method.name
        seen |= {method.descriptor.name} if method.streams else set()
    assert {"VerifyLicenses", "AppendUpload", "DownloadUpload"} <= seen


def test_an_array_of_a_stream_may_end_with_why_it_broke(made: Json) -> None:
    """And no other array may."""
    ended = {"$ref": "#/components/schemas/StreamError"}
    seen = set()
    for _, _, operation in operations(made):
        answer = operation["responses"].get("200", {})
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        if schema.get("type") == "array":
            assert ended in schema["items"]["anyOf"]
            assert "`streamError`" in answer["description"]
            seen.add(operation["x-grpc-method"].rpartition("/")[2])
    assert {"VerifyLicenses", "ScanTransportCodes", "DownloadUpload", "DownloadMaterial"} == seen


def test_operation_ids_are_unique(made: Json) -> None:
    names = [operation["operationId"] for _, _, operation in operations(made)]
    assert len(names) == len(set(names))


def test_rights_reasons_and_rules_are_told(made: Json) -> None:
    listing = made["paths"]["/v1/audit/{parent}/auditRecords"]["get"]
    assert listing["x-permission"] == "audit.auditRecords.list"
    assert listing["security"] == [{"bearer": []}]
    parameters = {parameter["name"]: parameter for parameter in listing["parameters"]}
    assert parameters["parent"]["in"] == "path"
    assert parameters["pageSize"]["schema"]["minimum"] == 0
    head = made["paths"]["/v1/audit/{name}/auditHead"]["get"]
    assert head["security"] == []


def test_refusals_are_told_by_status_with_an_example_each(made: Json) -> None:
    issue = made["paths"]["/v1/licenses"]["post"]
    assert {"reason": "NOT_OWNER", "when": "another department's name, code or seal"} in issue["x-error-reasons"]
    forbidden = issue["responses"]["403"]
    assert "NOT_OWNER (another department's name, code or seal)" in forbidden["description"]
    # What follows from the rest of the contract is told too.
    assert {"NOT_OWNER", "PERMISSION_MISSING"} <= forbidden["content"]["application/json"]["examples"].keys()
    shown = made["components"]["examples"]["STATE_CONFLICT"]["value"]
    assert shown["code"] == 9
    info = next(each for each in shown["details"] if each["@type"].endswith("ErrorInfo"))
    assert (info["reason"], set(info["metadata"])) == ("STATE_CONFLICT", {"resource", "state", "allowed"})


def test_every_reason_that_a_method_can_answer_with_is_documented_at_its_status(made: Json) -> None:
    methods = {method.path[1:]: method for method in contracts.methods()}
    for _, _, operation in operations(made):
        method = methods[operation["x-grpc-method"]]
        told = {
            reason
            for answer in operation["responses"].values()
            for reason in answer.get("content", {}).get("application/json", {}).get("examples", {})
        }
        assert told == refusals.refusals(method).keys() - {"PEER_NOT_ALLOWED"}, method.name


@pytest.mark.parametrize(
    ("template", "path", "bound"),
    [
        ("/v1/{name=persons/*}", "/v1/persons/{person}", {"name"}),
        ("/v1/{name=cases/*}:accept", "/v1/cases/{case}:accept", {"name"}),
        ("/v1/{parent=departments/*}/posts", "/v1/departments/{department}/posts", {"parent"}),
        ("/v1/{name=departments/*/posts/*}", "/v1/departments/{department}/posts/{post}", {"name"}),
        ("/v1/audit/{name=*/auditHead}", "/v1/audit/{name}/auditHead", {"name"}),
        ("/v1/{case.name=caseDeliveries/*}", "/v1/caseDeliveries/{caseDelivery}", {"case.name"}),
        ("/v1/data:query", "/v1/data:query", set()),
    ],
)
def test_paths_of_resource_names(template: str, path: str, bound: set[str]) -> None:
    assert path_of(template)[0] == path
    assert path_of(template)[2] == bound


def _required_of(schema: Json, components: Json) -> set[str]:
    found = components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return set(found.get("required", ()))


def test_what_the_contract_asks_for_openapi_calls_required(made: Json) -> None:
    """Every RPC's least request: its fields stand in the path, or are required in the query or in the body."""
    inputs = {method.path: method.descriptor.input_type for method in contracts.methods()}
    for rpc in (rpc for service in services(read_image()) for rpc in service.public_rpcs):
        for verb, template, body in rpc.http:
            path, _, bound = path_of(template)
            operation = made["paths"][path][verb.lower()]
            given = {each["name"] for each in operation["parameters"] if each["required"]}
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            schema = content.get("schema", {})
            message = schema["items"] if rpc.descriptor.client_streaming else schema
            given |= _required_of(message, made["components"]["schemas"])
            asked = {name for name in _asked(inputs[rpc.path], nested=not body) if body in ("", "*")}
            assert asked - bound - given == set(), rpc.path


def _asked(kind: Descriptor, *, nested: bool, inside: str = "") -> Iterator[str]:
    for field in kind.fields:
        if not requests.required(field) or field.containing_oneof is not None:
            continue
        name = f"{inside}{field.json_name}"
        if nested and field.message_type is not None and contracts.is_ours(field.message_type):
            yield from _asked(field.message_type, nested=True, inside=f"{name}.")
        else:
            yield name


def _texts(schemas: Json) -> Iterator[tuple[str, str, Json]]:
    answered = {owner: schema for owner, schema in schemas.items() if "additionalProperties" not in schema}
    for owner, schema in answered.items():
        for name, field in schema.get("properties", {}).items():
            if field.get("x-personal") and field.get("type") == "string":
                yield owner, name, field


def test_what_is_masked_fits_its_schema(made: Json) -> None:
    seen = 0
    for owner, name, field in _texts(made["components"]["schemas"]):
        for masked in ("138****5678", "张*", "1101**********1234", "*"):
            if "pattern" in field or "format" in field or "enum" in field:
                raise AssertionError(f"{owner}.{name} has a rule that a masked value breaks")
            if "anyOf" in field:
                assert any("pattern" in rule and re.search(rule["pattern"], masked) for rule in field["anyOf"])
                seen += 1
    assert seen


def test_what_is_sent_in_is_closed_and_what_is_answered_open(made: Json) -> None:
    """A field that the contract lacks is refused (0026); an answer of a later release may say more."""
    schemas = made["components"]["schemas"]
    assert schemas["common.v1.ApplicantInput"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["common.v1.Applicant"]
    bodies = [
        content["schema"] for _, _, each in operations(made) for content in _contents(each.get("requestBody", {}))
    ]
    sent = {name for name in _referred(bodies, schemas) if schemas[name].get("type") == "object"}
    assert [name for name in sent if schemas[name].get("additionalProperties") is not False] == []


_OF_TODAY = {
    "maxItems": ("identity.v1.Person", "documents"),
    "minItems": ("identity.v1.Post", "duties"),
    "pattern": ("identity.v1.Organization", "legalRepresentative"),
    "maxProperties": ("cases.v1.Case", "formValues"),
    "enum": ("identity.v1.JsonWebKey", "kty"),
}


@pytest.mark.parametrize(("rule", "place"), _OF_TODAY.items())
def test_what_is_answered_keeps_no_rule_that_is_widened_later(made: Json, rule: str, place: tuple[str, str]) -> None:
    """Who checks answers by this document takes a second document of a person, and a representative of another region."""
    schemas, (owner, name) = made["components"]["schemas"], place
    assert rule in _said(schemas[f"{owner}Input"]["properties"][name])
    assert rule not in _said(schemas[owner]["properties"][name])


def _said(schema: Json) -> set[str]:
    """The keywords of a field's schema, null aside."""
    return {key for each in (schema, *schema.get("anyOf", ())) for key in each}


def _contents(body: Json) -> list[Json]:
    return list(body.get("content", {}).values())


def _referred(schema: Any, schemas: Json) -> set[str]:
    """The names of the schemas that stand somewhere in one, however deep."""
    found, waiting = set[str](), [schema]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            name = str(each.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                waiting.append(schemas[name])
            waiting += each.values()
    return found


def test_a_body_is_needed_where_something_in_it_is(made: Json) -> None:
    """A person's own cases are listed without a word; a licence is verified by one of what the asker may have."""
    needed = {path: made["paths"][path]["post"]["requestBody"]["required"] for path in _BODIES}
    assert needed == _BODIES


_BODIES = {"/v1/cases:read": False, "/v1/cases": True, "/v1/licenses:verify": True, "/v1/licenses:verifyLicenses": True}


def test_of_a_oneof_one_is_taken(made: Json) -> None:
    """`Verify` takes a code, an identifier or a file, and `Material` paper or a licence; both at once is refused by the mapping."""
    schemas = made["components"]["schemas"]
    validator = OAS31Validator(
        {"$ref": "#/components/schemas/license.v1.VerifyLicenseRequest", "components": {"schemas": schemas}}
    )
    one = {"qrContent": "https://a.example/verify?c=x"}
    assert not list(validator.iter_errors(one))
    assert list(validator.iter_errors(one | {"content": "YQ=="}))
    assert list(validator.iter_errors({"qrContent": None})), "null chooses nothing"
    assert not list(validator.iter_errors(one | {"number": None}))
    assert not list(validator.iter_errors(one | {"content": None})), "and stands in nobody's way"


@pytest.mark.parametrize(
    ("template", "pattern", "parts"),
    [
        ("cases/*", "^cases/[0-9a-f]{8}$", ["[0-9a-f]{8}"]),
        ("cases/*/clock", "^cases/[0-9]+/clock$", ["[0-9]+"]),
        ("departments/*/posts/*", "^departments/[0-9]+/posts/[a-z]+$", ["[0-9]+", "[a-z]+"]),
        ("cases/*", "^(//[0-9]{6}/)?cases/x$", [""]),
        ("*", "", [""]),
        ("cases/*", "^persons/x$", [""]),
    ],
)
def test_a_part_of_a_path_has_its_part_of_the_name_s_pattern(template: str, pattern: str, parts: list[str]) -> None:
    assert part_patterns(template, pattern) == parts


def test_what_openapi_says_of_parts_of_paths_and_enums(made: Json) -> None:
    get = made["paths"]["/v1/caseDeliveries/{caseDelivery}"]["get"]["parameters"]
    assert next(each for each in get if each["name"] == "caseDelivery")["schema"]["pattern"].startswith("^[0-9a-f]{8}")
    firm = made["components"]["schemas"]["identity.v1.Organization"]["properties"]["kind"]
    assert "PARTY_KIND_UNSPECIFIED" not in firm["enum"]
    assert "PARTY_KIND_ENTERPRISE" in firm["enum"]


def test_recorded_calls_say_where_their_receipt_is(made: Json) -> None:
    """Changes, and reads of somebody's data; not what tells of nobody."""
    headers = made["components"]["headers"].keys()
    assert headers == {"tongban-receipt", "tongban-receipt-abroad"}
    for path, recorded in (
        ("/v1/cases", True),
        ("/v1/cases/{case}:read", True),
        ("/v1/persons:lookup", True),
        ("/v1/licenses:verify", False),
    ):
        assert (made["paths"][path]["post"]["responses"]["200"].get("headers", {}).keys() == headers) is recorded, path


def test_values_are_shown_as_they_are_written_and_what_is_none_is_refused(made: Json) -> None:
    """The examples keep their schema and are taken by the contract; a bare text, two kinds or a number are not."""
    schemas = made["components"]["schemas"]
    validator = OAS31Validator(
        {"$ref": "#/components/schemas/common.v1.ValueInput", "components": {"schemas": schemas}}
    )
    for example in schemas["common.v1.Value"]["examples"]:
        assert [*validator.iter_errors(example)] == []
        check(json_format.ParseDict(example, value_pb2.Value()))
    for kind in schemas["common.v1.ValueType"]["examples"]:
        check(json_format.ParseDict(kind, value_pb2.ValueType()))
    for wrong in ("张三", {"decimalValue": 12.5}, {"stringValue": "a", "intValue": "1"}, {"decimalValue": "1e5"}):
        assert [*validator.iter_errors(wrong)] != [], wrong


def test_maps_say_what_keys_they_take(made: Json) -> None:
    schemas = made["components"]["schemas"]
    faces = next(s for name, s in schemas.items() if "IssueLicenseRequest" in name)["properties"]["faceFields"]
    plain = faces.get("anyOf", [faces])[0]
    assert [name for name in schemas if name.count(".") > 2 and name.endswith("Entry")] == []
    assert (plain["maxProperties"], plain["propertyNames"]) == (40, {"pattern": "^[A-Z][A-Z0-9_]{0,39}$"})
