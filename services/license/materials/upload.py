"""An upload: metadata first, then chunks, taken as they come and refused as soon as they can't be what was announced."""

from collections.abc import AsyncIterator, Awaitable, Callable

from libs.documents.store import digest_of
from services.license.materials import rules
from tongban.license.v1 import material_service_pb2 as pb

_HEAD_BYTES = 8


async def metadata_of(parts: AsyncIterator[pb.UploadMaterialRequest]) -> pb.MaterialMetadata:
    """Takes what an upload begins with; raises MATERIAL_STREAM_INVALID where it begins otherwise."""
    first = await anext(parts, None)
    if first is None or first.WhichOneof("part") != "metadata":
        raise rules.stream_invalid("metadata_first")
    return first.metadata


def announced_by(metadata: pb.MaterialMetadata) -> rules.AnnouncedFile:
    """Returns what is said of the file that follows; raises what ``rules.check_announced`` refuses with."""
    reference = metadata.document
    announced = rules.AnnouncedFile(reference.digest, reference.media_type, reference.size_bytes)
    rules.check_announced(announced)
    return announced


async def uploaded(
    announced: rules.AnnouncedFile, take: Callable[[], Awaitable[bytes]], parts: AsyncIterator[pb.UploadMaterialRequest]
) -> bytes:
    """Takes the bytes that were brought before; raises MATERIAL_STREAM_INVALID where others follow, and what is refused of them."""
    if await anext(parts, None) is not None:
        raise rules.stream_invalid("no_chunk_expected")
    content = await take()
    rules.check_content(announced, len(content), digest_of(content), content[:_HEAD_BYTES])
    return content


async def streamed(announced: rules.AnnouncedFile, parts: AsyncIterator[pb.UploadMaterialRequest]) -> bytes:
    """Collects the chunks; ends as soon as they can't be what was announced, and keeps nothing then.

    Raises what ``rules.check_received`` and ``check_content`` refuse with, and MATERIAL_STREAM_INVALID.
    """
    content = bytearray()
    async for part in parts:
        if part.WhichOneof("part") != "chunk":
            raise rules.stream_invalid("chunk_expected")
        content += part.chunk
        rules.check_received(announced, len(content))
    whole = bytes(content)
    rules.check_content(announced, len(whole), digest_of(whole), whole[:_HEAD_BYTES])
    return whole
