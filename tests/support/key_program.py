"""The program that a maker of USB keys delivers, in a test's place: it signs for pages that ask it on the person's own computer, by openssl."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.json_server import json_server
from tests.support.usb_keys import Authority, UsbKey

_SCRIPT = """window.tongbanCertificate = {
  async sign(text) {
    const answer = await fetch("ADDRESS/sign", { method: "POST", body: text });
    if (!answer.ok) throw new Error("no key");
    return answer.json();
  },
};
"""


@dataclass
class KeyProgram:
    """It, and the key that is plugged in; None while there is none.

    Attributes:
        settings: of a region that takes the authority's certificates up to level 4, and brings the maker's script.
    """

    authority: Authority
    settings: str
    key: UsbKey | None = None
    asked: str = ""

    def answer(self, path: str, body: bytes) -> tuple[int, object]:
        """Signs what a page asks for."""
        self.asked = body.decode()
        if self.key is None or path != "/sign":
            return 404, {}
        return 200, json.loads(self.key.answer(self.asked))


@contextmanager
def key_program(folder: Path) -> Iterator[KeyProgram]:
    """Runs it for the length of the block; files that the region reads lie in ``folder``."""
    authority = Authority(folder / "authority")
    program = KeyProgram(authority, "")
    with json_server(program.answer) as address:
        files = {
            "authorities": (folder / "authorities.pem", authority.pem),
            "crl": (folder / "lists.pem", authority.lists()),
            "script": (folder / "devices.js", _SCRIPT.replace("ADDRESS", address).encode()),
        }
        lines = ["[services.identity.sign_in.certificates]", "assurance = 4", f'connect = ["{address}"]']
        for name, (file, content) in files.items():
            file.write_bytes(content)
            lines.append(f'{name} = "{file}"')
        program.settings = "\n".join(lines) + "\n"
        yield program
