"""What the gate in front of the services refuses, and paths that pass it."""

from typing import Any

import httpx


def violations_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """Returns what an answer says of each field that is wrong."""
    details = answer.json()["details"]
    found: list[dict[str, Any]] = next(each for each in details if each["@type"].endswith("BadRequest"))[
        "fieldViolations"
    ]
    return found


def violation_of(answer: httpx.Response) -> dict[str, Any]:
    """Returns what it says of the one field that is wrong."""
    (found,) = violations_of(answer)
    return found


def path_like(template: str) -> str:
    """Returns a path of a template of the contracts."""
    while "{" in template:
        start, end = template.index("{"), template.index("}")
        _, _, pattern = template[start + 1 : end].partition("=")
        template = template[:start] + (pattern or "*").replace("*", "x") + template[end + 1 :]
    return template
