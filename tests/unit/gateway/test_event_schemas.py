"""What the gateway serves of events is what events are."""

from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import json_format
from jsonschema import Draft202012Validator, FormatChecker

from libs.events.cloud_event import schema_url, sequence_text
from services.gateway.contracts import read_image
from services.gateway.event_schemas import event_messages, event_schemas
from services.gateway.openapi import document
from services.gateway.schemas import Json
from tongban.cases.v1 import events_pb2 as cases
from tongban.cases.v1 import resources_pb2 as case_resources
from tongban.events.v1 import change_service_pb2

_BASE = "https://region.test"
_TYPE = "cn.tongban.cases.case.decided.v1"
# CloudEvents 1.0.2, formats/cloudevents.json: what the specification's own JSON Schema asks of an event in JSON.
_CLOUD_EVENT: Json = {
    "type": "object",
    "required": ["id", "source", "specversion", "type"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "format": "uri-reference", "minLength": 1},
        "specversion": {"type": "string", "minLength": 1},
        "type": {"type": "string", "minLength": 1},
        "datacontenttype": {"type": ["string", "null"], "minLength": 1},
        "dataschema": {"type": ["string", "null"], "format": "uri", "minLength": 1},
        "subject": {"type": ["string", "null"], "minLength": 1},
        "time": {"type": ["string", "null"], "format": "date-time", "minLength": 1},
        "data": {"type": ["object", "string", "number", "array", "boolean", "null"]},
        "data_base64": {"type": ["string", "null"], "contentEncoding": "base64"},
    },
    # Section 3.1: names of attributes are lower-case letters and digits.
    "propertyNames": {"pattern": "^([a-z0-9]{1,20}|data_base64)$"},
}


@pytest.fixture(scope="module")
def schemas() -> dict[str, Json]:
    return event_schemas(read_image(), _BASE)


def _change() -> change_service_pb2.Change:
    told = cases.CaseDecided(
        outcome=case_resources.OUTCOME_APPROVED, decided_by="staff/1", license_types=["licenseTypes/1"]
    )
    told.case.name, told.case.task_code = "cases/1", "11341500MB0000000X"
    told.case.legal_basis = "行政许可法"
    change = change_service_pb2.Change(
        id="1",
        source="//341500/cases",
        specversion="1.0",
        type=_TYPE,
        subject="cases/1",
        dataschema=schema_url(_BASE, _TYPE),
        sequence=sequence_text(3),
    )
    change.time.FromDatetime(datetime(2026, 3, 2, 1, tzinfo=UTC))
    change.data.Pack(told)
    return change


def test_a_change_in_json_is_a_cloud_event(schemas: dict[str, Json]) -> None:
    shown = json_format.MessageToDict(_change())
    checked = Draft202012Validator(_CLOUD_EVENT, format_checker=FormatChecker())
    assert [error.message for error in checked.iter_errors(shown)] == []
    data = Draft202012Validator(schemas[_TYPE], format_checker=FormatChecker())
    assert [error.message for error in data.iter_errors(shown["data"])] == []


def test_what_breaks_the_contract_breaks_the_schema(schemas: dict[str, Json]) -> None:
    shown: Any = json_format.MessageToDict(_change())["data"]
    checked = Draft202012Validator(schemas[_TYPE])
    for broken in (
        {**shown, "outcome": "OUTCOME_UNHEARD_OF"},
        {**shown, "case": {**shown["case"], "taskCode": "张三"}},
        {**shown, "decideTime": 7},
    ):
        assert list(checked.iter_errors(broken)), broken


def test_every_event_has_a_schema_that_stands_by_itself(schemas: dict[str, Json]) -> None:
    assert schemas.keys() == {event.type for event in event_messages(read_image())}
    for kind, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        assert schema["$id"] == schema_url(_BASE, kind)
        assert "#/components" not in str(schema)


def test_openapi_tells_what_a_webhook_is_sent() -> None:
    made = document(read_image(), _BASE, "六安市", "0.0.0")
    public = {event.type for event in event_messages(read_image()) if event.public}
    assert made["webhooks"].keys() == public
    sent = made["webhooks"][_TYPE]["post"]["requestBody"]["content"]["application/cloudevents+json"]["schema"]
    whole = {**sent, "components": made["components"]}
    shown = json_format.MessageToDict(_change())
    assert [error.message for error in Draft202012Validator(whole).iter_errors(shown)] == []
    del shown["sequence"]
    assert list(Draft202012Validator(whole).iter_errors(shown))
