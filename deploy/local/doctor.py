"""``tongban doctor``: looks at this machine and at a state folder, and says what is wrong and what to do."""

import importlib.metadata
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509

from deploy.local import findings, own_settings, programs
from deploy.local.findings import Finding
from deploy.local.lost_keys import lost_keys
from deploy.local.own_settings import OwnSettings, WrongSettings
from deploy.local.partner_files import over_or_soon
from deploy.local.regions import REGIONS, SERVICES, is_free
from deploy.local.settings import stale_addresses
from deploy.local.state import StateFolder, contracts_digest
from deploy.local.written import edited_files
from libs.config import DiskConfig
from libs.crypto.errors import MalformedCertificate
from libs.crypto.x509 import Certificate

_ROOT = Path(__file__).resolve().parents[2]
_SOON = timedelta(days=30)
_SKEW_SECONDS = 60.0
_PRIVATE = ("config", "secrets", "keys", "pki", "documents")
_RENEW = "stop and start: `./run down`, `./run up`"


class Doctor:
    """Looks at one state folder."""

    def __init__(self, state: Path) -> None:
        self._folder = StateFolder(state)
        self._state = self._folder.folder
        self._own = OwnSettings()

    def look(self) -> list[Finding]:
        """Looks at everything once; what can't be looked at is a finding too."""
        looks: tuple[Callable[[], Iterator[Finding]], ...] = (
            self._settings,
            self._installation,
            self._programs,
            self._disk,
            self._clock,
            self._keys,
            self._certificates,
            self._partners,
            self._permissions,
            self._credentials,
            self._running,
        )
        return [finding for look in looks for finding in _attempt(look)]

    @property
    def _regions(self) -> list[Path]:
        return [each for each in (self._state / region.id for region in REGIONS) if each.is_dir()]

    def _settings(self) -> Iterator[Finding]:
        try:
            self._own = own_settings.read(self._state)
        except WrongSettings as error:
            yield Finding("settings", str(error), "mend the file; nothing starts until then")
        for region in self._regions:
            for path in edited_files(region / "config"):
                yield Finding(
                    "settings",
                    f"{path} was edited by hand",
                    f"the next start writes it anew: put what is to stay into {self._state / own_settings.FILE}",
                    bad=False,
                )

    def _installation(self) -> Iterator[Finding]:
        again = "`rm .venv/installed`, then any ./run command installs anew"
        for line in _locked():
            name, _, wanted = line.partition("==")
            try:
                found = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                yield Finding("installation", f"{name} {wanted} is not installed", again)
                continue
            if found != wanted:
                yield Finding("installation", f"{name} is {found}, {wanted} is wanted", again)

    def _programs(self) -> Iterator[Finding]:
        finds: tuple[Callable[[], str], ...] = (
            partial(programs.postgres, "postgres"),
            programs.redis_server,
            programs.envoy,
        )
        for find in finds:
            try:
                path = find()
            except programs.ProgramMissing as error:
                yield Finding("programs", str(error), "`rm .venv/installed`, then any ./run command installs anew")
                continue
            if not os.access(path, os.X_OK):
                yield Finding("programs", f"{path} can't be run", "is the disk mounted noexec?")
        if os.geteuid() == 0 and shutil.which("setpriv") is None:
            yield Finding(
                "programs", "PostgreSQL doesn't run as root", "install setpriv (util-linux), or be another user"
            )

    def _disk(self) -> Iterator[Finding]:
        there = next(each for each in (self._state, *self._state.parents) if each.exists())
        free = shutil.disk_usage(there).free // 1_000_000
        least, warn = self._own.least_free_mb, self._own.warn_free_mb
        usual = DiskConfig()
        for limit, bad in ((least or usual.least_free_mb, True), (warn or usual.warn_free_mb, False)):
            if free < limit:
                yield Finding(
                    "disk", f"{free} MB are left on the disk of {there}, {limit} wanted", "make room", bad=bad
                )
                return

    def _clock(self) -> Iterator[Finding]:
        known = [path.stat().st_mtime for region in self._regions for path in region.glob("logs/*")]
        ahead = max(known, default=0.0) - time.time()
        if ahead > _SKEW_SECONDS:
            yield Finding(
                "clock",
                f"what was written last is {ahead:.0f} s ahead of this machine's clock: it was set back",
                "set it by NTP (timedatectl set-ntp true); tokens and certificates go by it",
            )
        if _is_unsynchronised():
            yield Finding(
                "clock", "is not kept by NTP", "timedatectl set-ntp true; regions judge each other's tokens", bad=False
            )

    def _keys(self) -> Iterator[Finding]:
        """Names what every service opens at its start and isn't there; a region that never started has none of it."""
        for region in self._regions:
            started = SERVICES if region.joinpath("root").exists() else ()
            logs = (region / "keys" / service / name for service in started for name in ("log.der", "log"))
            for path in (*lost_keys(region), *(path for path in logs if not path.exists())):
                yield Finding("keys", f"{path} is missing", "put it back from a copy; docs/runbooks/key-lost.md")

    def _certificates(self) -> Iterator[Finding]:
        now = datetime.now(UTC)
        for region in self._regions:
            for path in sorted((*region.glob("pki/*.pem"), *region.glob("keys/*/*.der"))):
                try:
                    begin, end = _validity(path)
                except (ValueError, MalformedCertificate) as error:
                    yield Finding("certificates", f"{path} can't be read: {error}", "put it back from a copy")
                    continue
                if end < now or begin > now:
                    yield Finding("certificates", f"{path} is valid from {begin:%F} to {end:%F}", _RENEW)
                elif end - now < _SOON:
                    yield Finding("certificates", f"{path} ends on {end:%F}", _RENEW, bad=False)

    def _partners(self) -> Iterator[Finding]:
        """The files of listeners for partners: what is over keeps all of them out, and says so to nobody here."""
        now = datetime.now(UTC)
        for code, each in self._own.regions.items():
            if each.mtls is None:
                continue
            faults = list(each.mtls.files.faults())
            for key, fault in faults:
                yield Finding(
                    "partners", f"regions.{code}.mtls.{key}: {fault}", "mend the file; nothing starts until then"
                )
            for told, over in () if faults else over_or_soon(each.mtls.files, now, _SOON):
                yield Finding("partners", told, "renew it, then `./run reload`", bad=over)

    def _permissions(self) -> Iterator[Finding]:
        for region in self._regions:
            for name in _PRIVATE:
                for path in (region / name, *sorted((region / name).rglob("*"))):
                    found = path.lstat()
                    if found.st_mode & 0o077 and not stat.S_ISLNK(found.st_mode) and _is_private(path):
                        mode = "0700" if path.is_dir() else "0600"
                        yield Finding("permissions", f"{path} is open to others", f"chmod {mode} {path}")
                    elif found.st_uid != os.geteuid():
                        yield Finding("permissions", f"{path} is another user's", f"chown it to user {os.geteuid()}")

    def _credentials(self) -> Iterator[Finding]:
        snapshot = self._folder.read()
        for region in snapshot.regions if snapshot else ():
            if stale := stale_addresses(Path(region.folder, "credentials.json"), region.public or region.gateway):
                yield Finding("credentials", f"{', '.join(stale)} of {region.id} are old", _RENEW, bad=False)

    def _running(self) -> Iterator[Finding]:
        snapshot = self._folder.read()
        if self._folder.holder() is None or snapshot is None:
            for region in REGIONS:
                port = self._own.port(region.id)
                if not is_free(port):
                    yield Finding(
                        "ports",
                        f"{port}, the gateway's of {region.name}, is taken",
                        f"find who has it (ss -ltnp 'sport = :{port}'), or choose another (--port, settings.toml)",
                    )
            return
        if snapshot.contracts and snapshot.contracts != contracts_digest():
            yield Finding("versions", "what runs was started from other contracts than lie here", _RENEW)
        yield from findings.of_processes(snapshot)


def _attempt(look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(look())
    except OSError as error:
        name = look.__name__.removeprefix("_")
        return [*found, Finding(name, f"can't be looked at: {error}", "is it yours? `ls -l` says")]
    return found


def _locked() -> list[str]:
    """The packages that requirements.lock names without a condition, as ``name==version``, without their extras."""
    text = (_ROOT / "requirements.lock").read_text(encoding="utf-8")
    lines = (line.removesuffix("\\").strip() for line in text.splitlines() if "==" in line and line[0].isalnum())
    return [re.sub(r"\[.*?\]", "", line) for line in lines if ";" not in line]


def _validity(path: Path) -> tuple[datetime, datetime]:
    if path.suffix == ".pem":
        found = x509.load_pem_x509_certificate(path.read_bytes())
        return found.not_valid_before_utc, found.not_valid_after_utc
    certificate = Certificate.parse(path.read_bytes())
    return certificate.not_before, certificate.not_after


def _is_private(path: Path) -> bool:
    """Certificates are nobody's secret."""
    return path.suffix != ".der"


def _is_unsynchronised() -> bool:
    """Whether the machine says that nobody keeps its clock; one that can't say is left alone."""
    program = shutil.which("timedatectl")
    if program is None:
        return False
    asked = subprocess.run((program, "show", "-p", "NTPSynchronized"), capture_output=True, text=True, check=False)
    return asked.stdout.strip() == "NTPSynchronized=no"
