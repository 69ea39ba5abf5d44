"""Which service a call of a gRPC service means that all five serve: the one that the request itself names.

The request says it in the field that its path binds (``parent``, ``service``, ``name``: ``license/uploads/…``,
``operations/license/…``), of a stream's first message within its head. Envoy reads that field out of the message, whether it
came as gRPC, gRPC-Web or JSON, and routes by it. What names none of the five goes to identity, which says what is wrong with it.
"""

from collections.abc import Iterator
from typing import Any

from libs.rpc.images import image_path
from services.gateway.contracts import Rpc, Service
from services.gateway.envoy_clusters import OWNERS, typed
from services.gateway.http_paths import path_of
from services.gateway.lua_texts import KIND, lua

Json = dict[str, Any]
OWNER_HEADER = "x-tongban-owner"
"""Where the service stands once it is read; of a caller's own no header of this kind comes in."""
_JUDGE = "identity"
_EXTRACTION = "envoy.filters.http.grpc_field_extraction"
_EXTRACTION_KIND = "envoy.extensions.filters.http.grpc_field_extraction.v3.GrpcFieldExtractionConfig"
_LUA, _CODE_NAME = "envoy.filters.http.lua.owner", "owner"
_CODE = """
function envoy_on_request(handle)
  local found = handle:streamInfo():dynamicMetadata():get("%s")
  if not found then return end
  for _, value in pairs(found) do
    local text = type(value) == "table" and value[1] or value
    if type(text) == "string" then
      local service = string.match(text, "^operations/([a-z]+)") or string.match(text, "^[a-z]+")
      if OWNERS[service or ""] then
        handle:headers():replace("%s", service)
        handle:clearRouteCache()
      end
    end
  end
end
"""


class NoOwner(ValueError):
    """A request to a service that all serve does not say which one it means."""


def owner_field(rpc: Rpc) -> str:
    """Returns the field by which a request says whose it is; raises NoOwner where there is none."""
    bound = {field for _, template, _ in rpc.http for field in path_of(template)[2]}
    if len(bound) == 1:
        return bound.pop()
    if rpc.descriptor.client_streaming and "head" in rpc.method.descriptor.input_type.fields_by_name:
        return "head.name"
    raise NoOwner(rpc.path)


def _extractions(services: list[Service]) -> Iterator[tuple[str, Json]]:
    for service in services:
        if service.everywhere:
            for rpc in service.public_rpcs:
                for path in rpc.paths:
                    yield path[1:].replace("/", "."), {"request_field_extractions": {owner_field(rpc): {}}}


def owner_filters(services: list[Service]) -> list[Json]:
    """Returns the filters that read it, behind the transcoder: what comes as JSON is a message there, too."""
    extractions = dict(_extractions(services))
    if not extractions:
        return []
    image = {"filename": str(image_path())}
    reading = typed(_EXTRACTION_KIND, descriptor_set=image, extractions_by_method=extractions)
    code = f"local OWNERS = {lua(dict.fromkeys(OWNERS, True))}\n{_CODE % (_EXTRACTION, OWNER_HEADER)}"
    telling = typed(KIND, source_codes={_CODE_NAME: {"inline_string": code}})
    return [
        {"name": _EXTRACTION, "typed_config": reading},
        {"name": _LUA, "typed_config": telling},
    ]


def finding_owner() -> Json:
    """Returns what a route of requests that say whose they are has beside its target: no other pays for reading it."""
    return {_LUA: typed(f"{KIND}PerRoute", name=_CODE_NAME)}


def owner_matches() -> Iterator[tuple[str, Json]]:
    """Yields each service with what a request that means it carries; where none is named identity's."""
    for owner in OWNERS:
        yield owner, {"name": OWNER_HEADER, "string_match": {"exact": owner}}
    yield _JUDGE, {"name": OWNER_HEADER, "present_match": False}
