"""The domain's enums are the contract's, its reasons are documented, and the contract's own rules hold."""

import re
from enum import Enum, IntEnum
from typing import Any

import protovalidate
import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from libs.rpc.messages import Names
from services.sharing.core import catalogue, granting, mounting
from services.sharing.requests.rules import RequestState
from tongban.common.v1 import common_pb2, value_pb2
from tongban.sharing.v1 import data_service_pb2 as data
from tongban.sharing.v1 import resources_pb2 as pb

ID = "0190a3f0-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("ours", "contract"),
    [
        (catalogue.SharingClass, pb.SharingClass),
        (catalogue.ResourceForm, pb.ResourceForm),
        (catalogue.DataType, pb.DataType),
        (granting.RowOperator, pb.RowOperator),
    ],
)
def test_enums_carry_the_contracts_names_and_numbers(ours: type[IntEnum], contract: EnumTypeWrapper) -> None:
    prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", ours.__name__).upper()
    assert {f"{prefix}_{value.name}": value.value for value in ours} == {
        name: number for name, number in contract.items() if number
    }


@pytest.mark.parametrize(
    ("ours", "contract"),
    [
        (catalogue.ResourceState, pb.DataResourceState),
        (mounting.MountState, pb.DataMountState),
        (RequestState, pb.DataRequestState),
        (granting.GrantState, pb.DataGrantState),
    ],
)
def test_states_that_rows_hold_bear_the_contracts_names(ours: type[Enum], contract: EnumTypeWrapper) -> None:
    names = Names(contract)
    assert [names.name(number) for number in contract.values() if number] == [state.value for state in ours]
    assert all(state.name == state.value for state in ours)


NAMED = pb.GrantedField(field="name", rule=pb.FIELD_RULE_CLEAR)


def terms(**changes: Any) -> pb.GrantTerms:
    message = pb.GrantTerms(
        consumer_region="320402",
        departments=[f"//320402/departments/{ID}"],
        fields=changes.pop("fields", [NAMED]),
        purpose_code="QUALIFICATION_CHECK",
        purpose="核验",
        quota=pb.Quota(queries_per_day=10, rows_per_query=5, rows_total=100),
        **changes,
    )
    message.start_time.FromSeconds(1)
    message.end_time.FromSeconds(2)
    return message


def under(grant: str) -> common_pb2.UseContext:
    return common_pb2.UseContext(purpose_code="QUALIFICATION_CHECK", grant=grant)


def query(**changes: Any) -> data.QueryRequest:
    content: dict[str, Any] = {
        "resource": f"//341500/dataResources/{ID}",
        "fields": ["name"],
        "conditions": [data.KeyCondition(field="uscc", values=[value_pb2.Value(string_value="x")])],
        "use_context": under(f"//341500/dataGrants/{ID}"),
    }
    return data.QueryRequest(**(content | changes))


@pytest.mark.parametrize(
    "message",
    [
        terms(),
        query(),
        query(use_context=under(f"dataGrants/{ID}")),
        query(resource=f"dataResources/{ID}", page_size=7),
    ],
)
def test_good_messages_pass(message: Any) -> None:
    protovalidate.validate(message)


def bad_period() -> pb.GrantTerms:
    message = terms()
    message.end_time.FromSeconds(1)
    return message


@pytest.mark.parametrize(
    "message",
    [
        bad_period(),
        pb.GrantTerms(consumer_region="320402"),
        terms(fields=[]),
        terms(fields=[NAMED, NAMED]),
        terms(fields=[NAMED, pb.GrantedField(field="name", rule=pb.FIELD_RULE_COMPARE)]),
        terms(fields=[pb.GrantedField(field="name")]),
        terms(row_conditions=[pb.RowCondition()]),
        terms(
            row_conditions=[pb.RowCondition(field_condition=pb.FieldCondition(field="a", operator=pb.ROW_OPERATOR_IN))]
        ),
        value_pb2.Value(),
        value_pb2.Value(decimal_value="1e5"),
        value_pb2.Value(null_value=False),
        query(conditions=[]),
        query(fields=["name", "name"]),
        query(fields=['name"; drop table x']),
        query(use_context=None),
        query(use_context=under("dataGrants/1")),
        query(use_context=common_pb2.UseContext(purpose="核验")),
        query(use_context=common_pb2.UseContext(purpose_code="核验")),
        query(use_context=common_pb2.UseContext(purpose_code="AUDIT", case="办件2024001")),
        query(use_context=common_pb2.UseContext(purpose_code="AUDIT", law="申请人授权")),
        query(use_context=common_pb2.UseContext(purpose_code="AUDIT", law="《甲》第一条")),
        query(use_context=common_pb2.UseContext(purpose_code="AUDIT", law="《审计法》第一条，以及本人的意思")),
        query(resource="//341500/dataGrants/1"),
        pb.DataMount(resource=f"dataResources/{ID}"),
        pb.TableSource(data_source="legacy", schema="public", table='t" --', columns=[pb.ColumnMapping()]),
        pb.DataField(code="Name", title="t", data_type=pb.DATA_TYPE_DATE),
        pb.DataField(code="name", title="t", data_type=99),  # type: ignore[arg-type]
    ],
)
def test_bad_messages_are_refused(message: Any) -> None:
    with pytest.raises(protovalidate.ValidationError):
        protovalidate.validate(message)
