"""The rules of the catalogue: what an entry must say, and its way to publication."""

import re
from collections import Counter
from collections.abc import Iterator

from libs.errors import Violation, reasons, require_state, state_conflict
from services.sharing.catalogue.codes import parse_code
from services.sharing.core.catalogue import CatalogueEntry, ResourceForm, ResourceState, SharingClass

# A citation names the law in title marks (书名号), as Chinese legal writing does.
_CITATION = re.compile("《[^《》]+》")


def check_entry(entry: CatalogueEntry) -> None:
    """Holds an entry to the rules of the catalogue (发改高技 2017 no. 1272; 《政务数据共享条例》).

    Raises:
        InvalidArgument: FIELD_INVALID, with every rule that is broken.
    """
    parse_code(entry.code)
    violations = (*_field_violations(entry), *_class_violations(entry))
    if violations:
        raise reasons.field_invalid(violations[0].description, violations=violations)


def _field_violations(entry: CatalogueEntry) -> Iterator[Violation]:
    doubled = [code for code, count in Counter(field.code for field in entry.fields).items() if count > 1]
    if doubled:
        yield Violation("entry.fields", "field.unique", f"fields stand twice: {', '.join(doubled)}")
    if entry.form is ResourceForm.TABLE and not any(field.key for field in entry.fields):
        yield Violation("entry.fields", "field.key", "a table needs a key field, by which rows are selected")
    for position, field in enumerate(entry.fields):
        if field.sharing_class is not None and field.sharing_class < entry.sharing_class:
            yield Violation(
                f"entry.fields[{position}].sharing_class", "field.class", "a field is never more open than the resource"
            )


def _class_violations(entry: CatalogueEntry) -> Iterator[Violation]:
    classes = {entry.sharing_class, *(entry.class_of(field) for field in entry.fields)}
    if SharingClass.CONDITIONAL in classes and not entry.sharing_condition.strip():
        yield Violation("entry.sharing_condition", "class.condition", "conditional sharing states its condition")
    if SharingClass.NOT_SHARED in classes and not _CITATION.search(entry.restriction_basis):
        yield Violation(
            "entry.restriction_basis",
            "class.basis",
            "what is not shared cites a law, administrative regulation or State Council decision, in 《》",
        )
    if entry.open_to_public and entry.sharing_class is SharingClass.NOT_SHARED:
        yield Violation("entry.open_to_public", "class.open", "what is not shared is not open to the public")


def require_draft(name: str, state: ResourceState) -> None:
    """Raises STATE_CONFLICT unless the entry is a draft."""
    require_state(name, state.value, ResourceState.DRAFT.value)


def require_unmounted(name: str, mount: str) -> None:
    """Raises DATA_RESOURCE_MOUNTED where a table is mounted behind the entry; ``mount`` is empty where none is."""
    if mount:
        raise reasons.data_resource_mounted(f"{mount} rests on {name}", resource=name, mount=mount)


def submitted(name: str, state: ResourceState) -> ResourceState:
    """Returns the state after an entry is handed in; raises STATE_CONFLICT unless it is a draft."""
    return _moved(name, state, ResourceState.DRAFT, ResourceState.SUBMITTED)


def published(name: str, state: ResourceState) -> ResourceState:
    """Returns the state after publication; raises STATE_CONFLICT unless the entry was handed in."""
    return _moved(name, state, ResourceState.SUBMITTED, ResourceState.PUBLISHED)


def _moved(name: str, state: ResourceState, source: ResourceState, target: ResourceState) -> ResourceState:
    if state is not source:
        raise state_conflict(name, state.value, source.value)
    return target
