"""The table of purposes (purposes.toml): why somebody's data is read, said by a code and not in words of one's own.

Words decide nothing: who gives a consent or a grant names the code, and a use states the same code. Callers of this region state
a code of the table; what another region states may be of a later table and is kept as it is (decision 0047).
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from libs.errors import Violation, invalid_field, reasons
from tongban.common.v1 import common_pb2

TABLE = "docs/purposes.md"
"""Where the table is, for people; the gateway shows it at /docs."""
BASES = tuple(field.name for field in common_pb2.UseContext.DESCRIPTOR.oneofs_by_name["basis"].fields)
"""The kinds of basis, as the contract names them."""
NEEDS = ("case", "service_item", "basis")


@dataclass(frozen=True, slots=True)
class KnownPurpose:
    """A purpose: what it is called, what a use for it must say, which kinds of basis can carry it.

    ``ended``: it stands in old records and is not to be stated any more.
    """

    code: str
    zh: str
    en: str
    needs: frozenset[str]
    bases: frozenset[str]
    ended: bool = False


@cache
def table() -> Mapping[str, KnownPurpose]:
    """Returns all purposes by their codes, in the order of the file."""
    text = resources.files("libs.access").joinpath("purposes.toml").read_text(encoding="utf-8")
    return MappingProxyType({code: _purpose(code, told) for code, told in tomllib.loads(text).items()})


def _purpose(code: str, told: Mapping[str, Any]) -> KnownPurpose:
    needs, bases = frozenset(told.get("needs", ())), frozenset(told["bases"])
    if not needs <= set(NEEDS) or not bases <= set(BASES):
        raise ValueError(f"purposes.toml: {code} needs or is carried by what no context holds")
    return KnownPurpose(code, told["zh"], told["en"], needs, bases, told.get("ended", False))


def check_code(code: str, field: str) -> KnownPurpose:
    """Returns the purpose with this code; raises InvalidArgument PURPOSE_UNKNOWN, naming ``field`` and the table."""
    found = table().get(code)
    if found is None or found.ended:
        violation = Violation(field, "purpose.known", f"must be a code of {TABLE}")
        raise reasons.purpose_unknown(
            f"{field} is none of the purposes of {TABLE}", field=field, table=TABLE, violations=(violation,)
        )
    return found


def check_carried(code: str, kind: str, field: str) -> None:
    """Raises FIELD_INVALID ``purpose.carried`` where a basis of this kind can't carry the purpose; one of a later table is let through."""
    known = table().get(code)
    if known is not None and kind not in known.bases:
        raise invalid_field(field, "purpose.carried", f"can't be carried by a {kind}, see {TABLE}")


def check(context: common_pb2.UseContext, field: str = "use_context") -> None:
    """Holds a context of a caller of this region to the table.

    Raises:
        InvalidArgument: PURPOSE_UNKNOWN; FIELD_INVALID with the rules ``purpose.case``, ``purpose.service_item``, ``purpose.basis``
            (the purpose needs it), ``purpose.carried`` (a basis of this kind can't carry it) or ``context.item`` (two items).
    """
    purpose = check_code(context.purpose_code, f"{field}.purpose_code")
    violations = tuple(_violations(purpose, context, field))
    if violations:
        raise reasons.field_invalid(f"{field} is not what {purpose.code} asks for", violations=violations)


def _violations(purpose: KnownPurpose, context: common_pb2.UseContext, field: str) -> Iterator[Violation]:
    kind = context.WhichOneof("basis")
    said = {"case": context.case, "service_item": item_of(context) or context.case, "basis": kind}
    for part in NEEDS:
        if part in purpose.needs and not said[part]:
            yield Violation(f"{field}.{part}", f"purpose.{part}", f"{purpose.code} needs it, see {TABLE}")
    if kind and kind not in purpose.bases:
        yield Violation(f"{field}.{kind}", "purpose.carried", f"can't carry {purpose.code}, see {TABLE}")
    if context.item and context.service_item not in ("", context.item):
        yield Violation(f"{field}.service_item", "context.item", "must be the item that is the basis")


def item_of(context: common_pb2.UseContext) -> str:
    """Returns the item that a use is for: as it is said, or the one that is its basis; empty where none is named."""
    return context.service_item or context.item


def basis_of(context: common_pb2.UseContext) -> tuple[str, str]:
    """Returns kind and value of the basis, two empty strings where none is named."""
    kind = context.WhichOneof("basis") or ""
    return kind, str(getattr(context, kind)) if kind else ""


def words_of(context: common_pb2.UseContext) -> str:
    """Returns the purpose as people are shown it: the caller's words, or those of the table; a code nobody here knows as it is."""
    known = table().get(context.purpose_code)
    return context.purpose or (known.zh if known else context.purpose_code)
