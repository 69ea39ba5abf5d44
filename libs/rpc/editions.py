"""Editions of the contracts: ours, and those of releases that other regions still run.

What another region hands over is judged by editions and never refused for its form (decision 0047): whether ours knows all
that it holds, and whether it keeps the rules of the edition that its sender writes by. A sender that runs an older release of
which we keep the image is held to that one's rules: it can't have known of a field that became required since.
"""

import hashlib
from collections.abc import Callable, Collection
from functools import cache, cached_property
from importlib.metadata import version

import protovalidate
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from libs.errors import InvalidArgument
from libs.rpc.images import image_path, release_image
from libs.rpc.stages.validation import check
from libs.rpc.unknown_fields import unknown_fields, unknown_values

_MOST_DOUBTS = 20
_A_TYPE = 200


def own_release() -> str:
    """The release that runs, such as ``0.2.0``."""
    return version("tongban")


class ContractEdition:
    """The contracts as one release has them.

    Attributes:
        release: the release.
        fingerprint: SM3 of its image, in hexadecimal digits: it changes whenever anything of the contracts does.
    """

    def __init__(self, release: str, image: bytes) -> None:
        self.release = release
        self.fingerprint = hashlib.new("sm3", image).hexdigest()
        self._image = image
        # Of its own: a validator keeps what it made of a message under the message's name.
        self._validator = protovalidate.Validator()

    @cached_property
    def _pool(self) -> descriptor_pool.DescriptorPool:
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(self._image).file:
            file.ClearField("source_code_info")
            pool.Add(file)
        return pool

    def read(self, kind: str, data: bytes) -> Message | None:
        """Parses a message by its full name; None where the edition has none of that name, or the bytes are none."""
        try:
            descriptor = self._pool.FindMessageTypeByName(kind)
        except KeyError:
            return None
        try:
            return message_factory.GetMessageClass(descriptor).FromString(data)
        except (DecodeError, UnicodeDecodeError):
            return None

    def broken(self, message: Message) -> tuple[str, ...]:
        """Names the fields of ``message`` that break a rule, each as ``path: rule``; never what they hold."""
        try:
            check(message, self._validator.collect_violations)
        except InvalidArgument as error:
            return _named(error.violations)
        return ()


def _named(violations: Collection[object]) -> tuple[str, ...]:
    named = (f"{each.field}: {each.rule}" for each in violations)  # type: ignore[attr-defined]
    return tuple(dict.fromkeys(named))[:_MOST_DOUBTS]


def _no_other(_release: str) -> ContractEdition | None:
    return None


class PayloadReader:
    """Tells what of a payload is not understood here.

    Args:
        own: our edition.
        taken: the full names of the payloads that something here is made of.
        released: gives the edition of another release; None where its image is not kept.
    """

    def __init__(
        self,
        own: ContractEdition,
        taken: Collection[str],
        released: Callable[[str], ContractEdition | None] = _no_other,
    ) -> None:
        self.own = own
        self.taken = frozenset(taken)
        self._released = released

    def doubts(self, kind: str, release: str, data: bytes) -> tuple[str, ...]:
        """Returns what is not understood of a payload, each as ``path: rule``, at most 20; nothing where all of it is.

        Args:
            kind: the full name of its message.
            release: the sender's release.
            data: its bytes.
        """
        if kind not in self.taken:
            return (f"{kind[:_A_TYPE]}: payload.type",)
        message = self.own.read(kind, data)
        if message is None:
            return (f"{kind}: payload.bytes",)
        unknown = (*unknown_fields(message), *unknown_values(message))
        return _named(unknown) or self._broken(message, kind, release, data)

    def _broken(self, message: Message, kind: str, release: str, data: bytes) -> tuple[str, ...]:
        edition = None if release == self.own.release else self._released(release)
        written = edition.read(kind, data) if edition is not None else None
        if edition is None or written is None:
            return self.own.broken(message)
        return edition.broken(written)


@cache
def own_edition() -> ContractEdition:
    """The contracts that this process was made with."""
    return ContractEdition(own_release(), image_path().read_bytes())


@cache
def released_edition(release: str) -> ContractEdition | None:
    """The contracts of a release whose image is kept, or None."""
    image = release_image(release)
    return ContractEdition(release, image) if image is not None else None
