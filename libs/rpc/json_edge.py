"""What a caller who came as JSON can't be told as gRPC tells it: Envoy's transcoder makes an HTTP answer of theirs.

Of a stream it sends the status 200 with the headers, and keeps nothing of the trailers: so that a refusal goes in one block, and
what ends a stream behind its first message goes as text, which the gateway writes as the last element of the array (decision 0062).
"""

import json
from collections.abc import Mapping

from google.protobuf import json_format
from google.rpc import status_pb2

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
