"""Envoy's configuration carries a digest of itself, so that who starts the gateway can tell that somebody edited it.

JSON knows no comments; Envoy ignores what its node's metadata hold.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

_MARK = "written_sha256"


def marked(document: dict[str, Any]) -> dict[str, Any]:
    """Returns a bootstrap document with the digest of itself among its node's metadata."""
    return document | {"node": document["node"] | {"metadata": {_MARK: _digest(document)}}}


def marked_resources(document: dict[str, Any]) -> dict[str, Any]:
    """Returns a document of resources that Envoy follows, with the digest of itself as its version."""
    return document | {"version_info": _digest(document)}


def version_of(path: Path) -> str:
    """Returns the version of a file of `marked_resources`, as Envoy tells it of what it has taken."""
    return str(json.loads(path.read_text(encoding="utf-8"))["version_info"])


def was_edited(path: Path) -> bool:
    """Tells whether a file of `marked` or `marked_resources` holds something else than was written; False where there is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        mark = document.pop("version_info") if "version_info" in document else document["node"].pop("metadata")[_MARK]
    except FileNotFoundError:
        return False
    except (ValueError, TypeError, LookupError, AttributeError):
        return True
    return bool(mark != _digest(document))


def _digest(document: dict[str, Any]) -> str:
    """Of what the document says, not of how it is laid out."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
