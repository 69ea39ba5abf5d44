"""The paths of :mod:`services.gateway.content` in the OpenAPI document: bytes of uploads by HTTP, as in tus 1.0.0 and RFC 9110."""

from libs.rpc.contract import Method
from services.gateway import error_responses
from services.gateway.contracts import Service
from services.gateway.schemas import Json

_SERVICE = "tongban.uploads.v1.UploadService"
PATH = "/content/{service}/uploads/{upload}"
_BINARY: Json = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
_PARAMETERS: list[Json] = [
    {
        "name": "service",
        "in": "path",
        "required": True,
        "description": "The service that the upload is at.",
        "schema": {"type": "string", "enum": ["identity", "license", "seal", "cases", "sharing"]},
    },
    {
        "name": "upload",
        "in": "path",
        "required": True,
        "description": "The rest of the upload's name: a UUID.",
        "schema": {"type": "string", "format": "uuid"},
    },
]
_HEADERS: dict[str, tuple[str, str]] = {
    "tus-resumable": ("The version of tus: 1.0.0.", r"^1\.0\.0$"),
    "upload-offset": ("How many bytes are kept, from the first on.", "^[0-9]+$"),
    "upload-length": ("How many bytes the file has.", "^[0-9]+$"),
    "upload-expires": ("When the upload is given up by itself (RFC 9110, 5.6.7).", ""),
    "etag": ("The digest of the bytes; they never change.", '^"sm3:[0-9a-f]{64}"$'),
    "repr-digest": ("The same as RFC 9530 writes it.", "^sm3=:[A-Za-z0-9+/=]+:$"),
    "content-range": ("Which bytes of how many these are (RFC 9110, 14.4).", "^bytes .+/[0-9]+$"),
    "accept-ranges": ("Ranges of bytes are served.", "^bytes$"),
}
_STANDING = ("tus-resumable", "upload-offset", "upload-length", "upload-expires")
_BYTES = ("etag", "repr-digest", "accept-ranges")


def paths(services: list[Service]) -> Json:
    """Returns the path with its verbs; who may, and what is refused, is as with the calls of the contract that they become."""
    rpcs = {rpc.name: rpc.method for service in services if service.full_name == _SERVICE for rpc in service.rpcs}
    return {
        PATH: {
            "head": _operation(
                rpcs["GetUpload"],
                "head",
                "How far an upload is",
                "Tells where an upload is gone on with and, once it is complete, what its bytes are. Who: who began it.",
                {"200": _response("How far it is.", (*_STANDING, *_BYTES))},
            ),
            "get": _operation(
                rpcs["DownloadUpload"],
                "get",
                "The bytes of a complete upload",
                "Hands out the bytes, or the range that is asked for; If-None-Match and If-Range take the ETag. Who: who began it, or for "
                "whom a service handed it out.",
                {
                    "200": _response("All bytes.", _BYTES, body=True),
                    "206": _response("The range.", (*_BYTES, "content-range"), body=True),
                    "304": _response("They are those of the ETag.", ("etag",)),
                    "416": _response("No byte is in the range.", ("content-range",)),
                },
                [_header("range", "The bytes wanted (RFC 9110, 14.1.2); without it all.", required=False)],
            ),
            "patch": _operation(
                rpcs["AppendUpload"],
                "patch",
                "Adds bytes to an upload",
                "Adds the body at the place that Upload-Offset names, which must be where the upload is. What came before a connection broke is "
                "kept: HEAD tells where it goes on. Who: who began it.",
                {
                    "204": _response("They are kept.", _STANDING),
                    "409": _response("The upload is at another place.", _STANDING),
                    "415": _response("The body is not application/offset+octet-stream.", ("tus-resumable",)),
                },
                [_header("upload-offset", "Which byte of the file the body begins with.", required=True)],
            )
            | {"requestBody": {"required": True, "content": {"application/offset+octet-stream": _BINARY}}},
            "delete": _operation(
                rpcs["DeleteUpload"],
                "delete",
                "Gives an upload up",
                "It is gone for every request at once. Who: who began it.",
                {"204": _response("It is gone.", ("tus-resumable",))},
            ),
        }
    }


def _operation(
    method: Method, verb: str, summary: str, description: str, answers: Json, parameters: list[Json] | None = None
) -> Json:
    refused = error_responses.responses(method)
    both = {http: refused.get(http, {}) | answer for http, answer in answers.items()}
    return {
        "tags": [_SERVICE],
        "operationId": f"content_{verb}",
        "summary": summary,
        "description": description,
        "parameters": [*_PARAMETERS, *(parameters or [])],
        "responses": refused | both | {"default": {"$ref": "#/components/responses/Error"}},
        "security": [{"bearer": []}],
        "x-permission": method.access.permission,
        "x-grpc-method": method.path[1:],
    }


def _response(description: str, headers: tuple[str, ...], *, body: bool = False) -> Json:
    told = {name: _header_of(name) for name in headers}
    return {"description": description, "headers": told} | ({"content": {"*/*": _BINARY}} if body else {})


def _header_of(name: str) -> Json:
    meaning, pattern = _HEADERS[name]
    return {"description": meaning, "schema": {"type": "string"} | ({"pattern": pattern} if pattern else {})}


def _header(name: str, meaning: str, *, required: bool) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": meaning,
        "schema": {"type": "string"} | ({"pattern": "^[0-9]{1,18}$"} if required else {}),
    }
