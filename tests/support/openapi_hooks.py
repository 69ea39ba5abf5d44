"""What schemathesis asks of our answers besides its own checks; loaded by its command line (SCHEMATHESIS_HOOKS)."""

from typing import Any

import schemathesis

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


# The type that tus gives a piece of a file: bytes like any others.
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
