"""Fetches the peers: ofdrw and Keycloak by Maven, grpcurl and ghz by Go, grpc-js, http-message-signatures, openapi-typescript, openid-client and axe-core by npm, Authlib by pip, each pinned with its checksums.

Versions and checksums stand in ``java/``, ``go/`` and ``node/``; a change of them fetches anew. Nothing that is fetched
is ever committed, and nothing of it belongs to the product.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
FETCHED = HERE.parents[1] / ".peers"
"""Where everything lies that is fetched."""
_STAMP = "fetched"


@dataclass(frozen=True)
class Peer:
    """A kind of software that checks us.

    Attributes:
        name: what a message calls it.
        tests: the files of tests that need it.
        needs: the commands that a machine must have.
        folder: the folder of its pins, and of what was fetched; empty where the machine brings it.
        fetch: fetches it, given its pins and the folder that shall hold it.
    """

    name: str
    tests: tuple[str, ...]
    needs: tuple[str, ...]
    folder: str = ""
    fetch: Callable[[Path, Path], None] | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """The commands that this machine lacks."""
        return tuple(each for each in self.needs if shutil.which(each) is None)

    def ready(self) -> Path:
        """Fetches it where that was not done yet, or done by other pins; returns the folder that holds it."""
        place = FETCHED / self.folder
        if self.fetch is None:
            return place
        pins = HERE / self.folder
        digest = _digest_of(pins)
        stamp = place / _STAMP
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            self.fetch(pins, place)
            stamp.write_text(digest, encoding="utf-8")
        return place


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Runs a command to its end; returns what it said, raises AssertionError with that where it fails."""
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def _digest_of(pins: Path) -> str:
    """The digest of the files that say what to fetch."""
    files = sorted(each for each in pins.iterdir() if each.suffix not in {".java", ".js", ".ts", ".py"})
    return hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()


def _maven(pins: Path, place: Path) -> None:
    repository, jars = FETCHED / "maven", place / "lib"
    # -C: a checksum that does not match ends it; whose jars they are, the list beside the pins says.
    options = ("-q", "-B", "-C", f"-Dmaven.repo.local={repository}", f"-DoutputDirectory={jars}")
    run("mvn", *options, "-DincludeScope=runtime", "-f", pins / "pom.xml", "dependency:copy-dependencies")
    check_jars(pins / "checksums.sha256", jars)


def check_jars(listed: Path, jars: Path) -> None:
    """Compares the jars with the list of their SHA-256; raises AssertionError where one differs, lacks or is too many."""
    rows = (line.split() for line in listed.read_text(encoding="utf-8").splitlines())
    pinned = {name: digest for digest, name in rows}
    found = {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in jars.glob("*.jar")}
    assert found == pinned, f"not the jars that are pinned: {sorted(found.items() ^ pinned.items())}"


def _keycloak(pins: Path, place: Path) -> None:
    run(
        "mvn",
        "-q",
        "-B",
        "-C",
        f"-Dmaven.repo.local={FETCHED / 'maven'}",
        f"-DoutputDirectory={place}",
        "-f",
        pins / "pom.xml",
        "dependency:copy",
    )
    digest, name = (pins / "checksums.sha256").read_text(encoding="utf-8").split()
    assert hashlib.sha256((place / name).read_bytes()).hexdigest() == digest, f"not the {name} that is pinned"
    with zipfile.ZipFile(place / name) as archive:
        archive.extractall(place / "server")
    (place / name).unlink()
    for script in (place / "server").glob("*/bin/*.sh"):
        script.chmod(0o755)


def _go(pins: Path, place: Path) -> None:
    # `-mod=readonly` and go.sum: another content than the pinned one is refused by the client itself.
    modules = str(FETCHED / "gomod")
    run("go", "install", "-mod=readonly", "tool", cwd=pins, GOMODCACHE=modules, GOFLAGS="-modcacherw", GOBIN=str(place))


def _npm(pins: Path, place: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(pins / name, place)
    run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", cwd=place)


def _pip(pins: Path, place: Path) -> None:
    # Beside our own: what it hangs on is its own too, and a content with another digest is refused.
    run(sys.executable, "-m", "venv", place / "venv")
    options = ("--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps", "--only-binary", ":all:")
    run(place / "venv" / "bin" / "python", "-m", "pip", "install", *options, "-r", pins / "requirements.txt")


OFDRW = Peer("ofdrw", ("test_ofdrw.py",), ("java", "javac", "mvn", "openssl"), "java", _maven)
KEYCLOAK = Peer("Keycloak", ("test_keycloak.py",), ("java", "mvn"), "keycloak", _keycloak)
OPENSSL = Peer("openssl", ("test_openssl.py",), ("openssl",))
GO = Peer("grpcurl and ghz", ("test_go.py",), ("go",), "go", _go)
NODE = Peer(
    "grpc-js, http-message-signatures", ("test_node.py", "test_signed_requests.py"), ("node", "npm"), "node", _npm
)
TYPESCRIPT = Peer("openapi-typescript", ("test_typescript.py",), ("node", "npm"), "typescript", _npm)
OPENID = Peer(
    "openid-client and axe-core",
    ("test_openid_client.py", *sorted(each.name for each in HERE.glob("test_axe*.py"))),
    ("node", "npm"),
    "openid",
    _npm,
)
AUTHLIB = Peer("Authlib", ("test_authlib_client.py",), (), "authlib", _pip)
PYTHON = Peer(
    "the Python client alone, and Standard Webhooks", ("test_python_client.py", "test_standard_webhooks.py"), ()
)
PEERS = (OFDRW, KEYCLOAK, OPENSSL, GO, NODE, TYPESCRIPT, OPENID, AUTHLIB, PYTHON)
