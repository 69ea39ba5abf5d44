"""What the contracts say, in Chinese: gettext catalogues beside the contracts, of whose comments the English is a part.

``./run texts`` brings the catalogues (``proto/zh/<package>.po``) up to the contracts: what is new has no Chinese yet, what nobody says any more is
gone. A text is its English: where that changes its Chinese is asked for anew, and what two elements say alike is translated once.
``./run proto`` makes of them what the gateway reads (``proto/gen/tongban/zh.json``).
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from google.protobuf import descriptor_pb2

from tongban.options.v1 import options_pb2

ROOT = Path(__file__).resolve().parent
FOLDER, IMAGE, MADE = ROOT / "zh", ROOT / "gen" / "tongban.binpb", ROOT / "gen" / "tongban" / "zh.json"
_SHARED = "common"
_MESSAGES, _ENUMS, _SERVICES, _NESTED, _FIELDS, _VALUES = 4, 5, 6, 3, 2, 2
_OURS = "tongban."


def elements(image: descriptor_pb2.FileDescriptorSet) -> Iterator[tuple[str, str]]:
    """Yields every text of the API with the full name of what says it."""
    for file in image.file:
        if not file.package.startswith(_OURS):
            continue
        said = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}
        named = [*_services(file), *_types(file)]
        yield from ((name, said[place]) for place, name in named if said.get(place))
        yield from _conditions(file)


def _services(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    for at, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        yield (_SERVICES, at), name
        yield from (((_SERVICES, at, 2, place), f"{name}.{rpc.name}") for place, rpc in enumerate(service.method))


def _types(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    for at, message in enumerate(file.message_type):
        yield from _message(message, (_MESSAGES, at), f"{file.package}.{message.name}")
    for at, enum in enumerate(file.enum_type):
        yield from _enum(enum, (_ENUMS, at), f"{file.package}.{enum.name}")


def _message(
    message: descriptor_pb2.DescriptorProto, place: tuple[int, ...], name: str
) -> Iterator[tuple[tuple[int, ...], str]]:
    yield place, name
    yield from (((*place, _FIELDS, at), f"{name}.{field.name}") for at, field in enumerate(message.field))
    for at, inner in enumerate(message.nested_type):
        yield from _message(inner, (*place, _NESTED, at), f"{name}.{inner.name}")
    for at, enum in enumerate(message.enum_type):
        yield from _enum(enum, (*place, 4, at), f"{name}.{enum.name}")


def _enum(
    enum: descriptor_pb2.EnumDescriptorProto, place: tuple[int, ...], name: str
) -> Iterator[tuple[tuple[int, ...], str]]:
    yield place, name
    yield from (((*place, _VALUES, at), f"{name}.{value.name}") for at, value in enumerate(enum.value))


def _conditions(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[str, str]]:
    """When a method refuses with a reason."""
    for service in file.service:
        for method in service.method:
            for refusal in method.options.Extensions[options_pb2.rpc].refuses:
                if refusal.when:
                    yield f"{file.package}.{service.name}.{method.name}", refusal.when


def wanted(image: descriptor_pb2.FileDescriptorSet) -> dict[str, dict[str, list[str]]]:
    """Returns what each catalogue must hold: the texts, and who says each; what two packages say alike is in ``common``."""
    said: dict[str, list[str]] = {}
    for name, text in elements(image):
        said.setdefault(text, []).append(name)
    catalogues: dict[str, dict[str, list[str]]] = {}
    for text, names in said.items():
        packages = {name.split(".")[1] for name in names}
        catalogues.setdefault(packages.pop() if len(packages) == 1 else _SHARED, {})[text] = names
    return catalogues


def known() -> dict[str, str]:
    """Returns the Chinese of every text that has one, whichever catalogue it stands in."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.po")):
        with path.open("rb") as file:
            found |= {
                str(each.id): str(each.string) for each in read_po(file, locale="zh_CN") if each.id and each.string
            }
    return found


def update(image: descriptor_pb2.FileDescriptorSet) -> int:
    """Writes the catalogues anew; returns how many texts have no Chinese yet."""
    chinese, missing = known(), 0
    catalogues = wanted(image)
    for path in FOLDER.glob("*.po"):
        if path.stem not in catalogues:
            path.unlink()
    for name, texts in catalogues.items():
        catalogue = Catalog(locale="zh_CN")
        for text, names in texts.items():
            catalogue.add(text, chinese.get(text, ""), auto_comments=[", ".join(names[:3])])
            missing += text not in chinese
        with (FOLDER / f"{name}.po").open("wb") as file:
            write_po(file, catalogue, width=120, omit_header=True)
    return missing


def read_image() -> descriptor_pb2.FileDescriptorSet:
    """Reads the image of the contracts."""
    return descriptor_pb2.FileDescriptorSet.FromString(IMAGE.read_bytes())


def make() -> None:
    """Writes what the gateway reads."""
    MADE.write_text(json.dumps(known(), ensure_ascii=False, indent=0), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["update"]:
        print(f"{update(read_image())} texts have no Chinese yet")
    make()
