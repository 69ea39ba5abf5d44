"""The OpenAPI document says what the contracts say."""

import pytest
from openapi_spec_validator import validate

from services.gateway.contracts import read_image, services
from services.gateway.openapi import document, operations, path_of
from services.gateway.schemas import Json


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


def test_operation_ids_are_unique(made: Json) -> None:
    names = [operation["operationId"] for _, _, operation in operations(made)]
    assert len(names) == len(set(names))


def test_rights_reasons_and_rules_are_told(made: Json) -> None:
    listing = made["paths"]["/v1/audit/{log}/auditRecords"]["get"]
    assert listing["x-permission"] == "audit.records.list"
    assert listing["security"] == [{"bearer": []}]
    assert listing["x-error-reasons"] == ["PAGE_TOKEN_INVALID", "FIELD_INVALID"]
    parameters = {parameter["name"]: parameter for parameter in listing["parameters"]}
    assert parameters["log"]["in"] == "path"
    assert parameters["pageSize"]["schema"]["minimum"] == 0
    head = made["paths"]["/v1/audit/{log}/auditHead"]["get"]
    assert head["security"] == []


@pytest.mark.parametrize(
    ("template", "path", "bound"),
    [
        ("/v1/{name=persons/*}", "/v1/persons/{person}", {"name"}),
        ("/v1/{name=cases/*}:accept", "/v1/cases/{case}:accept", {"name"}),
        ("/v1/{parent=departments/*}/posts", "/v1/departments/{department}/posts", {"parent"}),
        ("/v1/{name=departments/*/posts/*}", "/v1/departments/{department}/posts/{post}", {"name"}),
        ("/v1/audit/{log=*}/auditHead", "/v1/audit/{log}/auditHead", {"log"}),
        ("/v1/{case.name=deliveries/*}", "/v1/deliveries/{delivery}", {"case.name"}),
        ("/v1/data:query", "/v1/data:query", set()),
    ],
)
def test_paths_of_resource_names(template: str, path: str, bound: set[str]) -> None:
    assert path_of(template)[0] == path
    assert path_of(template)[2] == bound
