"""The examples of the documentation: each fits its schema, and the contract itself takes it."""

import json
import re
from typing import Any

import protovalidate
import pytest
from google.protobuf import json_format
from openapi_schema_validator import OAS31Validator

from services.gateway.contracts import read_image, services
from services.gateway.examples import Examples, fitting
from services.gateway.openapi import document, operations
from services.gateway.schemas import Json


@pytest.fixture(scope="module")
def made() -> Json:
    return document(read_image(), "http://gateway.example", "示例", "0.0.0")


@pytest.mark.parametrize(
    "pattern", [r"^(//[a-z0-9]{2}/)?cases/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", r"^\d{3}(a|bc)[^x]?$"]
)
def test_a_text_fits_its_pattern(pattern: str) -> None:
    assert re.fullmatch(pattern, fitting(pattern))


def _place(violation: Any) -> str:
    return ".".join(each.field_name for each in violation.proto.field.elements)


def test_every_body_fits_its_schema_and_its_contract(made: Json) -> None:
    examples, broken = Examples(made["components"]["schemas"]), {}
    types = {rpc.path[1:]: rpc.method.request_type for service in services(read_image()) for rpc in service.public_rpcs}
    for path, _, operation in operations(made):
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            continue
        example = examples.of(schema)
        validator = OAS31Validator(schema | {"components": made["components"]})
        told = [each.message[:200] for each in validator.iter_errors(example)]
        bound = {"name", "parent", *re.findall(r"{(\w+)}", path)}
        request = types[operation["x-grpc-method"]]()
        json_format.ParseDict(example[0] if isinstance(example, list) else example, request)
        told += [
            f"{place}: {each.proto.rule_id}"
            for each in protovalidate.collect_violations(request)
            if (place := _place(each)) not in bound
        ]
        if told:
            broken[operation["operationId"]] = told
    assert broken == {}, json.dumps(broken, ensure_ascii=False, indent=1)
