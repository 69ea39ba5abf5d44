"""PostgreSQL and Redis for tests: those the environment names, else containers, else the embedded wheels."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local import postgres, programs
from deploy.local.programs import ending_with_parent, redis_server
from deploy.local.secret_files import write_secret

HOST = "127.0.0.1"
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Backends:
    """Where the tests' PostgreSQL (as superuser) and Redis are."""

    postgres_dsn: str
    redis_url: str


def free_port() -> int:
    """Returns a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1.0):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"a backend did not start: {log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def _running(command: tuple[str, ...], port: int, log: Path, stop: int) -> Iterator[None]:
    # libfaketime (`./run test --faketime`) breaks PostgreSQL's timers, so that no deadlock is ever found: it keeps real time.
    own = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            ending_with_parent(command, signal.Signals(stop)), stdout=output, stderr=output, env=own
        )
    try:
        _wait(port, process, log)
        yield
    finally:
        process.send_signal(stop)
        process.wait(10)


@contextlib.contextmanager
def _embedded_postgres(folder: Path) -> Iterator[str]:
    password = secrets.token_hex(16)
    folder.chmod(0o755)
    write_secret(folder / "postgres.password", password)
    postgres.initialise(folder / "postgres", folder / "postgres.password")
    port = free_port()
    command = (*postgres.command(folder / "postgres", port), "-c", "fsync=off")
    with _running(command, port, folder / "postgres.log", 2):
        _wait_for_postgres(port)
        yield f"postgresql://postgres:{password}@{HOST}:{port}/postgres"


def _wait_for_postgres(port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    ready = (programs.postgres("pg_isready"), "-q", "-h", HOST, "-p", str(port))
    while subprocess.run(ready, check=False).returncode != 0:
        if time.monotonic() > end:
            raise RuntimeError("PostgreSQL does not answer")
        time.sleep(0.05)


@contextlib.contextmanager
def _embedded_redis(folder: Path) -> Iterator[str]:
    port = free_port()
    command = (redis_server(), "--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", "")
    with _running(command, port, folder / "redis.log", 15):
        yield f"redis://{HOST}:{port}/0"


def _docker() -> bool:
    """Tells whether a Docker engine answers that has the images; none of them can be pulled here."""
    images = ("postgres:17", "redis:7")
    if shutil.which("docker") is None:
        return False
    found = subprocess.run(("docker", "image", "inspect", *images), capture_output=True, check=False, timeout=10)
    return found.returncode == 0


@contextlib.contextmanager
def _containers() -> Iterator[Backends]:
    from testcontainers.postgres import PostgresContainer  # noqa: PLC0415
    from testcontainers.redis import RedisContainer  # noqa: PLC0415

    with PostgresContainer("postgres:17", driver=None) as database, RedisContainer("redis:7") as redis:
        url = f"redis://{redis.get_container_host_ip()}:{redis.get_exposed_port(6379)}/0"
        yield Backends(database.get_connection_url(), url)


@contextlib.contextmanager
def backends(folder: Path) -> Iterator[Backends]:
    """Lends PostgreSQL and Redis; what was started here is stopped at the end."""
    given = os.environ.get("TONGBAN_TEST_POSTGRES_DSN"), os.environ.get("TONGBAN_TEST_REDIS_URL")
    if given[0] and given[1]:
        yield Backends(given[0], given[1])
    elif _docker():
        with _containers() as found:
            yield found
    else:
        with _embedded_postgres(folder) as dsn, _embedded_redis(folder) as url:
            yield Backends(dsn, url)
