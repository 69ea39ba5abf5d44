"""The bytes of uploads over HTTP, at ``/content/<name>``: HEAD, PATCH and DELETE as in tus 1.0.0, GET with Range (RFC 9110).

They go past Envoy's buffer, gate and transcoder, and become the streams of tongban.uploads.v1 here, a piece at a time. Nothing is
decided here: whose an upload is, what may be added and what is refused says the service, to the caller's own token.
"""

import base64
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf import json_format
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from libs.errors import TongbanError, invalid_field, reasons
from libs.rpc import json_edge, languages, status
from libs.rpc.call import FORWARDED, SIGNER
from libs.security import client_certificates
from libs.security.possession import HEADER, METHOD_SEEN, PATH_SEEN, REQUEST_SEEN
from services.gateway.byte_ranges import ByteRange, Unsatisfiable, wanted
from tongban.uploads.v1 import upload_service_pb2 as pb
from tongban.uploads.v1 import upload_service_pb2_grpc

PREFIX = "/content/"
"""Where the bytes of uploads are: what follows is the upload's name."""
_PATH, _ELSEWHERE = PREFIX + "{service}/uploads/{key:uuid}", PREFIX + "{rest:path}"
_PROOF = (HEADER, METHOD_SEEN, PATH_SEEN, REQUEST_SEEN, client_certificates.HEADER)
_PASSED_ON = ("authorization", "traceparent", FORWARDED, SIGNER, languages.HEADER, *_PROOF)
_PIECE_BYTES = 256 * 1024
_MOST_BYTES = 1024 * 1024 * 1024
_CALL_SECONDS = 30.0
_TUS = {"tus-resumable": "1.0.0", "cache-control": "no-store"}
_OPTIONS = {"tus-version": "1.0.0", "tus-extension": "expiration,termination", "tus-max-size": str(_MOST_BYTES)}
_BYTES = "application/offset+octet-stream"

ChannelOf = Callable[[str], grpc.aio.Channel | None]
"""The channel to a service of the region by its name, or None where there is none."""


class ContentPages:
    """Answers for the bytes of uploads.

    Args:
        channel_of: where each service is.
        seconds: how long one request may take; what is cut goes on.
    """

    def __init__(self, channel_of: ChannelOf, seconds: float) -> None:
        self._channel_of = channel_of
        self._seconds = seconds

    def routes(self) -> list[Route]:
        """What is served here."""
        verbs = {
            "HEAD": self._head,
            "GET": self._get,
            "PATCH": self._patch,
            "DELETE": self._delete,
            "OPTIONS": _options,
        }

        async def serve(request: Request) -> Response:
            try:
                return await verbs[request.method](request)
            except grpc.aio.AioRpcError as error:
                return _refusal(request, status.from_rpc_error(error, "the service"))
            except TongbanError as error:
                return _refusal(request, error)

        return [Route(_PATH, serve, methods=list(verbs)), Route(_ELSEWHERE, _nowhere, methods=list(verbs))]

    def _stub(self, request: Request) -> Any:
        channel = self._channel_of(request.path_params["service"])
        if channel is None:
            raise invalid_field("name", "service", "is no service of this region")
        return upload_service_pb2_grpc.UploadServiceStub(channel)

    async def _upload(self, request: Request) -> pb.Upload:
        asked = pb.GetUploadRequest(name=_name(request))
        found: pb.Upload = await self._stub(request).GetUpload(
            asked, metadata=_metadata(request), timeout=_CALL_SECONDS
        )
        return found

    async def _head(self, request: Request) -> Response:
        upload = await self._upload(request)
        complete = upload.state == pb.UPLOAD_STATE_COMPLETE
        return Response(None, 200, _standing(upload) | (_representation(upload) if complete else {}))

    async def _patch(self, request: Request) -> Response:
        """Adds the body at the place that the caller names, which must be where the upload is."""
        upload, offset = await self._upload(request), _offset(request)
        if request.headers.get("content-type", "") != _BYTES:
            raise reasons.media_type_not_taken("the bytes of an upload have a media type of their own", taken=_BYTES)
        if upload.received_bytes != offset:
            return Response(None, 409, _standing(upload))
        added = await self._stub(request).AppendUpload(
            _additions(request, upload.name, offset), metadata=_metadata(request), timeout=self._seconds
        )
        return Response(None, 204, _standing(added))

    async def _delete(self, request: Request) -> Response:
        asked = pb.DeleteUploadRequest(name=_name(request), request_id=str(uuid.uuid4()))
        await self._stub(request).DeleteUpload(asked, metadata=_metadata(request), timeout=_CALL_SECONDS)
        return Response(None, 204, _TUS)

    async def _get(self, request: Request) -> Response:
        upload = await self._upload(request)
        headers = _representation(upload)
        if request.headers.get("if-none-match", "") == headers["etag"]:
            return Response(None, 304, {"etag": headers["etag"]})
        held = request.headers.get("if-range", headers["etag"]) == headers["etag"]
        try:
            part = wanted(request.headers.get("range", "") if held else "", upload.size_bytes)
        except Unsatisfiable:
            return Response(None, 416, _TUS | {"content-range": f"bytes */{upload.size_bytes}"})
        return await self._sent(request, upload, headers, part)

    async def _sent(
        self, request: Request, upload: pb.Upload, headers: dict[str, str], part: ByteRange | None
    ) -> Response:
        first, size = (part.start, part.size) if part else (0, upload.size_bytes)
        asked = pb.DownloadUploadRequest(name=upload.name, offset=first, limit_bytes=size)
        stream = self._stub(request).DownloadUpload(asked, metadata=_metadata(request), timeout=self._seconds)
        parts = stream.__aiter__()
        await anext(parts)  # what it is, or the refusal, before the status is sent
        headers = headers | {"content-length": str(size)}
        if part is None:
            return StreamingResponse(_chunks(stream, parts), 200, headers)
        headers["content-range"] = f"bytes {first}-{first + size - 1}/{upload.size_bytes}"
        return StreamingResponse(_chunks(stream, parts), 206, headers)


async def _nowhere(request: Request) -> Response:
    return _refusal(request, reasons.route_not_found("no upload has such a name"))


async def _options(_request: Request) -> Response:
    return Response(None, 204, _TUS | _OPTIONS)


def _name(request: Request) -> str:
    return f"{request.path_params['service']}/uploads/{request.path_params['key']}"


def _metadata(request: Request) -> list[tuple[str, str]]:
    return [(key, request.headers[key]) for key in _PASSED_ON if key in request.headers]


def _offset(request: Request) -> int:
    told = request.headers.get("upload-offset", "")
    if not (told.isascii() and told.isdigit() and len(told) <= 18):
        raise invalid_field("upload-offset", "upload_offset", "must be a whole number of bytes")
    return int(told)


async def _additions(request: Request, name: str, offset: int) -> AsyncIterator[pb.AppendUploadRequest]:
    """The body in pieces. Where the caller goes away the stream ends as if it were whole, so that what came is kept."""
    yield pb.AppendUploadRequest(head=pb.AppendHead(name=name, offset=offset))
    gathered = bytearray()
    try:
        async for chunk in request.stream():
            gathered += chunk
            while len(gathered) >= _PIECE_BYTES:
                yield pb.AppendUploadRequest(chunk=bytes(gathered[:_PIECE_BYTES]))
                del gathered[:_PIECE_BYTES]
    except ClientDisconnect:
        pass
    if gathered:
        yield pb.AppendUploadRequest(chunk=bytes(gathered))


async def _chunks(stream: Any, parts: AsyncIterator[pb.DownloadUploadResponse]) -> AsyncIterator[bytes]:
    """The bytes as they come; a caller who goes away ends the call."""
    try:
        async for part in parts:
            yield part.chunk
    finally:
        stream.cancel()


def _standing(upload: pb.Upload) -> dict[str, str]:
    return _TUS | {
        "upload-offset": str(upload.received_bytes),
        "upload-length": str(upload.size_bytes),
        "upload-expires": upload.expire_time.ToDatetime().strftime("%a, %d %b %Y %H:%M:%S GMT"),
    }


def _representation(upload: pb.Upload) -> dict[str, str]:
    """What is said of the bytes of a complete upload, which never change."""
    digest = base64.b64encode(bytes.fromhex(upload.digest.partition(":")[2])).decode()
    return {
        "etag": f'"{upload.digest}"',
        "repr-digest": f"sm3=:{digest}:",
        "accept-ranges": "bytes",
        "content-type": upload.media_type,
        "content-length": str(upload.size_bytes),
        "content-disposition": "attachment",
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-store",
    }


def _refusal(request: Request, error: TongbanError) -> Response:
    """A refusal as at the JSON edge, with where the upload is where that is what was wrong."""
    told = status.to_status(error, languages.preferred(request.headers.get(languages.HEADER, "")))
    received = error.metadata.get("received_bytes")
    place = {"upload-offset": received} if received is not None else {}
    code = error.code.http
    if error.reason == "MEDIA_TYPE_NOT_TAKEN":
        code, place = 415, {"accept-patch": error.metadata["taken"]}
    return JSONResponse(json_format.MessageToDict(told), code, _TUS | place | dict(json_edge.hints(error)))
