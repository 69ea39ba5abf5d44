"""Where the images of the contracts lie: of those that run, and of those of former releases."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

_IMAGE = "tongban.binpb"


def image_path() -> Path:
    """Where the image of the contracts lies: beside the generated code, in the checkout as in the wheel."""
    for folder in _generated():
        if (image := folder / _IMAGE).exists():
            return image
    raise FileNotFoundError(f"{_IMAGE} is missing beside the generated code; run proto/compile.py")


def release_image(release: str) -> bytes | None:
    """The image of a release (``proto/releases``, in the wheel ``tongban/releases``); None where none is kept."""
    if not release.replace(".", "").isalnum():
        return None  # somebody else's word: it names no place
    for folder in _generated():
        for releases in (folder.parent / "releases", folder / "tongban" / "releases"):
            if (image := releases / f"{release}.binpb").exists():
                return image.read_bytes()
    return None


def _generated() -> Iterator[Path]:
    spec = importlib.util.find_spec("tongban")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the contracts are not compiled; run proto/compile.py")
    yield from (Path(folder).parent for folder in spec.submodule_search_locations)
