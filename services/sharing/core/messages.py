"""Messages of the contract as the rules know them: entries, sources, terms, values."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from libs.values.messages import value_of
from services.sharing.core.catalogue import (
    CatalogueEntry,
    DataField,
    DataType,
    ResourceForm,
    SharingClass,
    Value,
    require_type,
)
from services.sharing.core.granting import Quota, RowCondition, RowOperator, Terms
from services.sharing.core.mounting import TableSource
from tongban.common.v1 import value_pb2
from tongban.sharing.v1 import resources_pb2 as pb


def entry_of(entry: pb.CatalogEntry) -> CatalogueEntry:
    """Returns what the rules need to know of a catalogue entry."""
    return CatalogueEntry(
        code=entry.code,
        form=ResourceForm(entry.form),
        sharing_class=SharingClass(entry.sharing_class),
        fields=tuple(_field_of(field) for field in entry.fields),
        sharing_condition=entry.sharing_condition,
        restriction_basis=entry.restriction_basis,
        open_to_public=entry.open_to_public,
    )


def _field_of(field: pb.DataField) -> DataField:
    own = SharingClass(field.sharing_class) if field.sharing_class else None
    return DataField(code=field.code, data_type=DataType(field.data_type), key=field.key, sharing_class=own)


def source_of(table: pb.TableSource) -> TableSource:
    """Returns a table source as the rules know it."""
    columns = tuple((mapping.field, mapping.column) for mapping in table.columns)
    return TableSource(table.data_source, table.schema, table.table, columns)


def terms_of(terms: pb.GrantTerms, fields: Mapping[str, DataField]) -> Terms:
    """Returns terms as the rules know them.

    Raises InvalidArgument FIELD_INVALID where a row condition's value is not of its field's type. A condition on a field
    that the resource lacks keeps no values: the rules of requests refuse it.
    """
    return Terms(
        consumer_region=terms.consumer_region,
        departments=frozenset(terms.departments),
        fields=_under(terms, pb.FIELD_RULE_CLEAR),
        compare_fields=_under(terms, pb.FIELD_RULE_COMPARE),
        row_conditions=tuple(
            _condition_of(f"content.terms.row_conditions[{position}].field_condition", each.field_condition, fields)
            for position, each in enumerate(terms.row_conditions)
        ),
        purpose_code=terms.purpose_code,
        case_required=terms.case_required,
        start=_moment(terms.start_time),
        end=_moment(terms.end_time),
        quota=_quota_of(terms.quota),
    )


def _under(terms: pb.GrantTerms, rule: "pb.FieldRule.ValueType") -> frozenset[str]:
    return frozenset(each.field for each in terms.fields if each.rule == rule)


def _quota_of(quota: pb.Quota) -> Quota:
    return Quota(
        queries_per_day=quota.queries_per_day, rows_per_query=quota.rows_per_query, rows_total=quota.rows_total
    )


def _condition_of(path: str, condition: pb.FieldCondition, fields: Mapping[str, DataField]) -> RowCondition:
    field, operator = fields.get(condition.field), RowOperator(condition.operator)
    if field is None:
        return RowCondition(condition.field, operator, ())
    values = tuple(read_value(f"{path}.values[{n}]", field, value) for n, value in enumerate(condition.values))
    return RowCondition(condition.field, operator, values)


def read_value(path: str, field: DataField, value: value_pb2.Value) -> Value:
    """Reads a value of a request.

    Raises:
        InvalidArgument: FIELD_INVALID at ``path`` where it is not of the field's data type, or no such day exists.
    """
    read: Any = value_of(value, path)
    require_type(path, field, read)
    known: Value = read
    return known


def _moment(time: Timestamp) -> datetime:
    return time.ToDatetime(tzinfo=UTC)
