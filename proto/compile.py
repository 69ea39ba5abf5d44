"""Generates the Python code of the contracts into ``proto/gen``.

Third-party protos are not copied into the repository: ``google/api`` lies in the googleapis-common-protos wheel, and
``buf/validate/validate.proto`` is read out of the protovalidate wheel as a descriptor and handed to protoc.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OUT = ROOT / "gen"
IMAGE = OUT / "tongban.binpb"
_WELL_KNOWN = ("descriptor", "duration", "timestamp", "field_mask")
OPERATIONS = "google/longrunning/operations.proto"
"""The wheel has this file under another name than that by which it is imported."""
_IMPORTED = (
    *(f"google/api/{name}.proto" for name in ("annotations", "field_behavior", "resource", "httpbody")),
    OPERATIONS,
    *(f"google/rpc/{name}.proto" for name in ("status", "error_details")),
    *(f"google/protobuf/{name}.proto" for name in (*_WELL_KNOWN, "any", "empty", "struct", "wrappers")),
)
_MAKERS = (
    "reasons.py",
    "rights.py",
    "clients.py",
    "bad_input_page.py",
    "errors_page.py",
    "events_page.py",
    "permissions_page.py",
    "purposes_page.py",
    "partners.py",
    "client_wheel.py",
    "texts.py",
)
"""What is made from the image, in this order."""


def sources() -> list[str]:
    """Returns the paths of our protos, relative to ``proto/``, sorted."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tongban").rglob("*.proto"))


def _wheel_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"proto/compile.py: the package {package} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def _validate_descriptors(target: Path) -> None:
    """Writes the descriptor set of buf.validate and what it needs to ``target``."""
    from google.protobuf import descriptor_pb2, descriptor_pool  # noqa: PLC0415 - build-time only
    from protovalidate._gen.buf.validate import validate_pb  # noqa: PLC0415 - build-time only

    for name in _WELL_KNOWN:
        importlib.import_module(f"google.protobuf.{name}_pb2")
    pool = descriptor_pool.Default()
    files = descriptor_pb2.FileDescriptorSet()
    for name in _WELL_KNOWN:
        pool.FindFileByName(f"google/protobuf/{name}.proto").CopyToProto(files.file.add())
    files.file.add().ParseFromString(validate_pb._DESC.proto.to_binary())  # noqa: SLF001 - the only place it is in
    target.write_bytes(files.SerializeToString())


def _protoc(arguments: list[str]) -> None:
    # protoc looks for its plugins on the PATH, where an environment that isn't activated does not stand.
    path = os.pathsep.join(
        (str(Path(sys.executable).parent), sysconfig.get_path("scripts"), os.environ.get("PATH", ""))
    )
    command = [sys.executable, "-m", "grpc_tools.protoc", *arguments]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PATH": path})


def _imports(scratch: Path) -> str:
    """Writes what our protos import as descriptors: where --descriptor_set_in is given protoc takes imports from it alone."""
    google_api = _wheel_folder("google.api").parents[1]
    renamed = scratch / "renamed"
    (renamed / OPERATIONS).parent.mkdir(parents=True)
    shutil.copy(google_api / OPERATIONS.replace(".proto", "_proto.proto"), renamed / OPERATIONS)
    validate, imports = scratch / "validate.binpb", scratch / "imports.binpb"
    _validate_descriptors(validate)
    folders = (renamed, google_api, _wheel_folder("grpc_tools") / "_proto")
    given = (f"-I{folder}" for folder in folders)
    _protoc([*given, "--include_imports", f"--descriptor_set_out={imports}", *_IMPORTED])
    return f"--descriptor_set_in={validate}:{imports}"


def _code(shared: list[str], out: Path) -> None:
    """Generates messages, stubs and their types."""
    _protoc([*shared, f"--python_out={out}", f"--mypy_out=quiet:{out}", "buf/validate/validate.proto"])
    code = (f"--python_out={out}", f"--grpc_python_out={out}", f"--mypy_out=quiet:{out}")
    _protoc([*shared, *code, f"--mypy_grpc_out=quiet,only_async:{out}", *sources()])


def _image(shared: list[str], out: Path) -> None:
    """Writes the image that buf, Envoy and the documents are made from."""
    whole = ("--include_imports", "--include_source_info", f"--descriptor_set_out={out / IMAGE.name}")
    _protoc([*shared, *whole, *sources(), "google/rpc/error_details.proto"])


def compile_all() -> None:
    """Generates the code and the image, and all that is made from the image."""
    with tempfile.TemporaryDirectory(dir=ROOT) as scratch:
        out = Path(scratch) / "gen"
        out.mkdir()
        shared = ["-I.", _imports(Path(scratch))]
        _code(shared, out)
        _image(shared, out)
        shutil.rmtree(OUT, ignore_errors=True)
        out.rename(OUT)
    # In a process of its own: what was read above must not meet what was generated.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(OUT), str(ROOT.parent)))}
    for maker in _MAKERS:
        subprocess.run([sys.executable, str(ROOT / maker)], check=True, env=environment)


if __name__ == "__main__":
    compile_all()
