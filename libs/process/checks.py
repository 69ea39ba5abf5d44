"""What of this machine a service stands on: room on its disks, its keys, its certificates."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from libs.config import DiskConfig, KeysConfig, ServiceConfig, TlsConfig
from libs.crypto.keystore import KeyStore, load_master_key
from libs.crypto.x509 import Certificate
from libs.observability import metrics
from libs.observability.end_warning import EndWarning

_MEGABYTE = 1_000_000
_LEAST_FILES = 1_000
_KEYS_EVERY_SECONDS = 10.0
_NEAR_END = timedelta(days=30)


class CheckFailed(Exception):
    """Something that a service needs is not as it must be; the message says what, without personal data."""


def folders_of(config: ServiceConfig) -> list[Path]:
    """The folders of this machine that a service fills: its documents, its keys, and what the configuration adds."""
    documents = config.documents.folder
    local = [Path(documents)] if "://" not in documents else []
    return [*local, config.keys.folder, *config.disk.folders]


class DiskCheck:
    """Asks how much room is left under each folder; raises Wrong where hardly anything is."""

    def __init__(self, folders: Sequence[Path], limits: DiskConfig) -> None:
        self._folders = folders
        self._limits = limits
        self._warning = EndWarning("disk")

    async def __call__(self) -> None:
        """Asks."""
        left = await asyncio.to_thread(self._left)
        self._warning.tell(self._short(left, self._limits.warn_free_mb))
        if short := self._short(left, self._limits.least_free_mb):
            raise CheckFailed(short)

    def _left(self) -> dict[str, int]:
        """Free megabytes by folder; 0 where no more files can be made."""
        left = {}
        for folder in self._folders:
            found = os.statvfs(_existing(folder))
            free = found.f_bavail * found.f_frsize
            metrics.DISK_FREE.labels(folder.name).set(free)
            full = found.f_files > 0 and found.f_favail < _LEAST_FILES
            left[folder.name] = 0 if full else free // _MEGABYTE
        return left

    def _short(self, left: dict[str, int], least: int) -> str:
        short = (f"{name}: {free} MB left, {least} wanted" for name, free in left.items() if free < least)
        return "; ".join(short)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


class KeysCheck:
    """Asks whether the keys that every service needs can be opened, and how long its certificates last."""

    def __init__(self, keys: KeyStore, files: KeysConfig, tls: TlsConfig, needed: Sequence[str]) -> None:
        self._keys, self._files, self._tls, self._needed = keys, files, tls, needed
        self._warning = EndWarning("keys")

    async def __call__(self) -> None:
        """Raises Wrong, or what the key store raises."""
        await asyncio.to_thread(self._look)

    def _look(self) -> None:
        load_master_key(self._files.master_key_file)
        for name in self._needed:
            self._keys.load(name)
        now, ends = datetime.now(UTC), self._ends()
        for name, end in ends.items():
            metrics.CERTIFICATE_END.labels(name).set(end.timestamp())
        over = [name for name, end in ends.items() if end <= now]
        self._warning.tell(
            "; ".join(f"{name} ends {end:%Y-%m-%d}" for name, end in ends.items() if end - now < _NEAR_END)
        )
        if over:
            raise CheckFailed(f"over: {', '.join(over)}")

    def _ends(self) -> dict[str, datetime]:
        """When each certificate ends: what the others know this process by, its authority's, and its log's."""
        files = {"tls": self._tls.cert, "ca": self._tls.ca}
        ends = {
            name: x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc for name, file in files.items()
        }
        return ends | {"log": Certificate.parse((self._files.folder / "log.der").read_bytes()).not_after}


def at_most_every(
    check: Callable[[], Awaitable[None]], seconds: float = _KEYS_EVERY_SECONDS
) -> Callable[[], Awaitable[None]]:
    """Asks at most every so many seconds while all is well; what is wrong is asked for again each time."""
    last = -seconds

    async def asked() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            await check()
            last = time.monotonic()

    return asked
