"""What the portal refuses by HTTP's own statuses (no such address, a wrong verb), typed as the gate's refusals are."""

from collections.abc import Mapping

from google.protobuf import json_format
from starlette.responses import JSONResponse, Response

from libs.errors import Internal as InternalError
from libs.errors import TongbanError, reasons
from libs.rpc import languages, status


def told_in_order(headers: Mapping[str, str]) -> dict[str, str]:
    """Returns headers with the verbs of Allow in order: they come out of a set."""
    told = {name.lower(): value for name, value in headers.items()}
    if "allow" in told:
        told["allow"] = ", ".join(sorted(told["allow"].split(", ")))
    return told


def typed_failure(code: int, accept_language: str, headers: Mapping[str, str], correlation_id: str = "-") -> Response:
    """Returns google.rpc.Status with this HTTP status, in the language that is asked for."""
    told = status.to_status(_error(code, headers, correlation_id), languages.preferred(accept_language))
    return JSONResponse(json_format.MessageToDict(told), code, dict(headers))


def _error(code: int, headers: Mapping[str, str], correlation_id: str) -> TongbanError:
    if code >= 500:
        return InternalError("INTERNAL", "the gateway can't serve this request", correlation_id=correlation_id)
    if code == 415:
        return reasons.media_type_not_taken("forms are taken here", taken=headers["accept-post"])
    if code == 405:
        return reasons.route_not_found(f"this path takes {headers['allow']} only")
    return reasons.route_not_found("nothing is served at this path")
