"""Reads the published test vectors of ``tests/vectors``; each file says where its values come from."""

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[1] / "vectors"


def load(name: str) -> dict[str, Any]:
    """Returns the vector file ``<name>.json``."""
    vectors: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return vectors
