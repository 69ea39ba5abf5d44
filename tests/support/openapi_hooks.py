"""What schemathesis asks of our answers besides its own checks; loaded by its command line (SCHEMATHESIS_HOOKS)."""

from typing import Any

import schemathesis
from schemathesis.generation.meta import TestPhase

_NARROWING = {"filter", "orderBy", "pageToken", "regions"}
_PURPOSE = {"purposeCode": "ASSISTANCE", "purpose": "受理"}
_SHAPE = ("json.", "protobuf.")
"""The rules by which a body can't even be read as its message: the schema tells them, so what fits it breaks none."""


@schemathesis.check
def a_body_that_fits_the_schema_can_be_read(_context: Any, response: Any, case: Any) -> None:
    """What OpenAPI calls well formed may be refused for what it means, never for how it is written."""
    if response.status_code != 400 or case.meta is None or case.meta.generation.mode.is_negative:
        return
    for detail in response.json().get("details", ()):
        for violation in detail.get("fieldViolations", ()):
            if violation.get("reason", "").startswith(_SHAPE):
                raise AssertionError(f"{violation['field']}: {violation['description']}")


@schemathesis.hook
def before_call(_context: Any, case: Any, _more: Any) -> None:
    """A chain begins with what is there: lists are asked as they are, and with a purpose that there is. The other phases guess both."""
    if case.meta is None or case.meta.phase.name is not TestPhase.STATEFUL or case.meta.generation.mode.is_negative:
        return
    for given in (case.query, case.body):
        if isinstance(given, dict):
            for name in _NARROWING & given.keys():
                del given[name]
            if "useContext" in given:
                given["useContext"] = dict(_PURPOSE)


# The type that tus gives a piece of a file: bytes like any others.
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
