"""Names the machine that was measured on."""

import os
import platform
import subprocess
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def _model() -> str:
    try:
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _version() -> str:
    done = subprocess.run(
        ("git", "describe", "--always", "--dirty", "--tags"), capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "no checkout"


def described() -> str:
    """CPU, cores, kernel, Python and the version of the code, in one line."""
    cores = len(os.sched_getaffinity(0))
    python = platform.python_version()
    return f"{_model()}, {cores} cores, {platform.system()} {platform.release()}, Python {python}, Tongban {_version()}"
