"""The terms of requests and grants: whether they make sense for a resource, and whether a grant stays within them."""

from libs.errors import invalid_field, reasons
from services.sharing.core.catalogue import (
    TEXT_TYPES,
    CatalogueEntry,
    SharingClass,
    require_known,
    require_shareable,
    require_type,
)
from services.sharing.core.granting import RowCondition, RowOperator, Terms


def check_terms(resource: str, entry: CatalogueEntry, terms: Terms, region: str) -> SharingClass:
    """Holds the terms to the resource and returns the sharing class that sets the deadline of the answer.

    Args:
        resource: its name.
        entry: its catalogue entry.
        terms: what is asked for.
        region: the code of this region, in which departments are written without prefix.

    Raises:
        InvalidArgument: FIELD_UNKNOWN; or FIELD_INVALID, where the period is empty, no field is asked for, a department
            is not of the consumer's region, or a row condition does not fit its field.
        FailedPrecondition: RESOURCE_NOT_SHARED.
    """
    wanted = sorted(terms.fields | terms.compare_fields)
    if not wanted:
        raise invalid_field("content.terms.fields", "terms.fields", "at least one field must be asked for")
    if terms.start >= terms.end:
        raise invalid_field("content.terms.end_time", "terms.period", "must be after start_time")
    require_known(resource, entry, [*wanted, *(condition.field for condition in terms.row_conditions)])
    _check_departments(terms, region)
    known = entry.field_map()
    for position, condition in enumerate(terms.row_conditions):
        path = f"content.terms.row_conditions[{position}].field_condition"
        _check_arity(path, condition)
        if condition.operator is RowOperator.PREFIX and known[condition.field].data_type not in TEXT_TYPES:
            raise invalid_field(f"{path}.operator", "condition.prefix", "only text has a prefix")
        for value in condition.values:
            require_type(f"{path}.values", known[condition.field], value)
    return require_shareable(resource, entry, wanted)


def _check_departments(terms: Terms, region: str) -> None:
    prefix = "" if terms.consumer_region == region else f"//{terms.consumer_region}/"
    if not terms.departments or not all(name.startswith(f"{prefix}departments/") for name in terms.departments):
        raise invalid_field(
            "content.terms.departments", "terms.region", f"must be departments of {terms.consumer_region}"
        )


def _check_arity(path: str, condition: RowCondition) -> None:
    count = len(condition.values)
    if count == 0 or (condition.operator is not RowOperator.IN and count > 1):
        raise invalid_field(f"{path}.values", "condition.arity", "must be one value, for IN at least one")


def require_within(request: str, asked: Terms, granted: Terms) -> None:
    """Raises TERMS_EXCEED_REQUEST, naming the part, where what is granted goes beyond what was asked."""
    for part, exceeds in _excesses(asked, granted):
        if exceeds:
            raise reasons.terms_exceed_request(
                f"the {part} granted go beyond those of {request}", request=request, part=part
            )


def _excesses(asked: Terms, granted: Terms) -> tuple[tuple[str, bool], ...]:
    mine, theirs = granted.quota, asked.quota
    return (
        ("consumer_region", granted.consumer_region != asked.consumer_region),
        ("departments", not granted.departments <= asked.departments),
        ("fields", not granted.fields <= asked.fields),
        # A field asked for reading may be granted for comparison only.
        ("fields", not granted.compare_fields <= asked.fields | asked.compare_fields),
        # Conditions are joined by and: dropping one widens, adding one narrows.
        ("row_conditions", not set(asked.row_conditions) <= set(granted.row_conditions)),
        ("purpose", granted.purpose_code != asked.purpose_code),
        ("case_required", asked.case_required and not granted.case_required),
        ("period", granted.start < asked.start or granted.end > asked.end),
        (
            "quota",
            mine.queries_per_day > theirs.queries_per_day
            or mine.rows_per_query > theirs.rows_per_query
            or mine.rows_total > theirs.rows_total,
        ),
    )
