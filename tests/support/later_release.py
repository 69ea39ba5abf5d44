"""Tomorrow's release on disk: what a region runs by whose contracts are later than ours (`tests.support.tomorrow`)."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from libs.rpc.editions import own_release
from libs.rpc.images import image_path
from tests.support import tomorrow

_CODE = """import sys

if "services.cases" in sys.orig_argv:
    from tests.support import later_code

    later_code.use()
"""


def lay_out(folder: Path) -> Path:
    """Makes a folder which, first on the path of Python's modules, has a region run by tomorrow's contracts; returns it.

    It holds tomorrow's image and the code that protoc makes of it, tomorrow's number, what tomorrow's code does
    (`tests.support.later_code`), and today's image, which tomorrow's release keeps as that of a former one.
    """
    today = image_path()
    shutil.copytree(today.parent, folder)
    image = folder / today.name
    image.write_bytes(tomorrow.image())
    compiled = (f"--descriptor_set_in={image}", f"--python_out={folder}", *tomorrow.CHANGED)
    subprocess.run((sys.executable, "-m", "grpc_tools.protoc", *compiled), check=True)
    releases = folder / "tongban" / "releases"
    releases.mkdir(exist_ok=True)
    shutil.copy(today, releases / f"{own_release()}.binpb")
    number = folder / f"tongban-{tomorrow.RELEASE}.dist-info" / "METADATA"
    number.parent.mkdir()
    (folder / "sitecustomize.py").write_text(_CODE, encoding="utf-8")
    number.write_text(f"Metadata-Version: 2.1\nName: tongban\nVersion: {tomorrow.RELEASE}\n", encoding="utf-8")
    return folder


@contextmanager
def running_by(folder: Path) -> Iterator[None]:
    """What is started in the block runs by the contracts that were laid out there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH", "")))))
        yield
