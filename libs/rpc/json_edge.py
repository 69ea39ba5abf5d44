"""What a caller who came as JSON can't be told as gRPC tells it: Envoy's transcoder makes an HTTP answer of theirs.

Of a stream it sends the status 200 with the headers, and keeps nothing of the trailers: so that a refusal goes in one block, and
what ends a stream behind its first message goes as text, which the gateway writes as the last element of the array (decision 0062).
"""

import json
import math
from collections.abc import Mapping

from google.protobuf import json_format
from google.rpc import status_pb2

from libs.errors import TongbanError
from libs.security.possession import CHALLENGE

STREAM_ERROR = "tongban-stream-error"
"""The trailer with that text: a google.rpc.Status as JSON, all in ASCII."""
TRANSCODED = "x-envoy-original-method"
"""What the transcoder leaves of a JSON request; of a caller's own no header of this kind comes in."""


def came_as_json(metadata: Mapping[str, str]) -> bool:
    """Whether the gateway made a call of a JSON request; no caller can say so by themselves."""
    return TRANSCODED in metadata


def stream_error(status: status_pb2.Status) -> str:
    """Returns the text that says why a stream ended early."""
    return json.dumps(json_format.MessageToDict(status), separators=(",", ":"))


def hints(error: TongbanError) -> tuple[tuple[str, str], ...]:
    """Returns the HTTP headers that tell who is refused what they can do, beside the body.

    That is to come again (RFC 9110, 10.2.3), or to have the person sign in anew, or better (RFC 9470, 3; the status stays that of
    the reason, 403 where the level is too low), or to prove the key of their token (RFC 9449, 7.1), or that the token is
    no good with this certificate (RFC 8705, 3).
    """
    found: list[tuple[str, str]] = []
    if error.retry_after is not None:
        found.append(("retry-after", str(max(1, math.ceil(error.retry_after)))))
    if error.reason == "POSSESSION_NOT_PROVEN":
        found.append(("www-authenticate", CHALLENGE))
    if error.reason == "CERTIFICATE_NOT_PRESENTED":
        found.append(("www-authenticate", 'Bearer realm="tongban", error="invalid_token"'))
    wanted = _STEP_UP.get(error.reason)
    if wanted is not None:
        parameter, key = wanted
        told = f'error="insufficient_user_authentication", {parameter}="{error.metadata[key]}"'
        found.append(("www-authenticate", f'Bearer realm="tongban", {told}'))
    return tuple(found)


_STEP_UP = {"ASSURANCE_TOO_LOW": ("acr_values", "required"), "AUTHENTICATION_TOO_OLD": ("max_age", "max_auth_age")}
"""The reasons that a better or a newer sign-in mends: what it is asked for by, and the metadata that says how much."""
