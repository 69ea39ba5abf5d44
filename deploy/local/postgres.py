"""Makes the data folder of an embedded PostgreSQL.

Run as ``python -m deploy.local.postgres DATA --password-file FILE``.
"""

import argparse
import shutil
import subprocess
from pathlib import Path

from deploy.local.programs import give_to_unprivileged, postgres, unprivileged
from deploy.local.regions import HOST

SUPERUSER = "postgres"
CONNECTIONS = 200
"""What one replica of each service needs, and operators beside it."""


def initialise(data: Path, password_file: Path) -> None:
    """Makes ``data``, with SCRAM passwords; does nothing where it is complete already.

    The folder gets its name last, so that a start that was cut off begins anew.
    """
    if data.exists():
        return
    unfinished = data.with_name(f"{data.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    give_to_unprivileged(unfinished)
    options = ("--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--no-locale", "-U", SUPERUSER)
    command = (postgres("initdb"), "-D", str(unfinished), *options)
    done = subprocess.run(unprivileged(command), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"initdb failed: {done.stderr.strip()}")
    unfinished.rename(data)


def command(data: Path, port: int, max_connections: int = CONNECTIONS) -> tuple[str, ...]:
    """The command that runs the server in the foreground, on loopback TCP only (socket paths may be too long)."""
    settings = {
        "listen_addresses": HOST,
        "port": port,
        "unix_socket_directories": "",
        "max_connections": max_connections,
        "shared_buffers": "128MB",
        "max_wal_size": "1GB",
        "jit": "off",
        "log_min_duration_statement": "500ms",
        # Statements are logged by their text; what they were called with, and the rows that break a rule, are data.
        "log_parameter_max_length": 0,
        "log_parameter_max_length_on_error": 0,
        "log_error_verbosity": "terse",
        "password_encryption": "scram-sha-256",
    }
    pairs = (part for key, value in settings.items() for part in ("-c", f"{key}={value}"))
    return unprivileged((postgres("postgres"), "-D", str(data), *pairs))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=initialise.__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--password-file", type=Path, required=True)
    arguments = parser.parse_args()
    initialise(arguments.data, arguments.password_file)


if __name__ == "__main__":
    main()
