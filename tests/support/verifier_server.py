"""A verifier of faces beside whole regions: plain HTTP in a thread, with everything that it was told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.json_server import json_server


@dataclass
class VerifierServer:
    """What a verifier was asked, and what it says of each check, by its reference; what it was not told is pending."""

    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)

    def answer(self, path: str, body: dict[str, str]) -> dict[str, str]:
        """Answers as docs/guides/real-names.md has it."""
        self.asked.append(body)
        if path == "/checks":
            return {"reference": body["id"], "uri": f"https://faces.test/{body['id']}"}
        return {"state": self.states.get(body["reference"], "PENDING")}


@contextmanager
def verifier_server() -> Iterator[VerifierServer]:
    """Runs a verifier for the length of the block."""
    found = VerifierServer()
    with json_server(lambda path, body: (200, found.answer(path, json.loads(body)))) as found.url:
        yield found
