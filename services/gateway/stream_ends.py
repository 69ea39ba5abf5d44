"""How an answer that streams ends at the JSON edge: whole, or with a last element that says why it broke (decision 0062).

The transcoder closes the array whatever the trailers say. So a filter behind it notes what they say, and one before it, which sees the end
of the array only then, writes the element. What is cut (a process killed, a connection lost) is passed on as cut: its array has no end.
"""

import json
from typing import Any

from google.protobuf import json_format

from libs.errors import reasons
from libs.rpc import json_edge, languages, status
from services.gateway.envoy_clusters import typed
from services.gateway.lua_texts import KIND, languages_text, lua, lua_text

Json = dict[str, Any]
FIELD = "streamError"
"""The one field of that element; no message that is streamed has one of this name."""
_KEY = "tongban.stream"
_NOTING, _TELLING, _CODE = "envoy.filters.http.lua.stream_noting", "envoy.filters.http.lua.stream_telling", "stream"
_NOTES = "\nenvoy_on_request = note_request\nenvoy_on_response = note_end\n"
_TELLS = "\nenvoy_on_response = tell_end\n"


def _untold() -> Json:
    """By language what ended without a reason of ours: its service stopped, or is another's."""
    error = reasons.dependency_unavailable(
        "the stream ended without a word of its service", dependency="upstream", retry_after=1.0
    )
    return {
        language: json.dumps(json_format.MessageToDict(status.to_status(error, language)))
        for language in sorted(set(languages.SPOKEN.values()))
    }


def _text(functions: str) -> str:
    words = {
        "key": _KEY,
        "field": FIELD,
        "trailer": json_edge.STREAM_ERROR,
        "transcoded": json_edge.TRANSCODED,
        "untold": _untold(),
    }
    return f"local S = {lua(words)}\n{languages_text()}\n{lua_text('stream_ends')}{functions}"


def _filter(name: str, functions: str) -> Json:
    return {"name": name, "typed_config": typed(KIND, source_codes={_CODE: {"inline_string": _text(functions)}})}


def telling_filter() -> Json:
    """Returns the filter that writes the element; it stands before the transcoder."""
    return _filter(_TELLING, _TELLS)


def noting_filter() -> Json:
    """Returns the filter that reads the trailers; it stands behind the transcoder."""
    return _filter(_NOTING, _NOTES)


def ending_in_words() -> Json:
    """Returns what a route of answers that stream has beside its target: no other pays for it."""
    return {name: typed(f"{KIND}PerRoute", name=_CODE) for name in (_TELLING, _NOTING)}
