"""Secrets lie in files that only their owner may read; configuration names the files."""

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit


def write_secret(path: Path, content: str) -> None:
    """Writes ``content`` to a file of mode 0600, whole or not at all."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    unfinished.rename(path)


def password(path: Path) -> str:
    """Returns the password in ``path``, made on first use: 256 random bits in hexadecimal."""
    if not path.exists():
        write_secret(path, secrets.token_hex(32))
    return path.read_text(encoding="utf-8").strip()


def dsn_password(path: Path) -> str:
    """Returns the password within a DSN file."""
    found = urlsplit(path.read_text(encoding="utf-8").strip()).password
    if not found:
        raise ValueError(f"{path.name} holds no password")
    return found
