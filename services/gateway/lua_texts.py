"""Texts of Lua that run within Envoy, and what is written before them from the contracts."""

import json
from importlib import resources

from libs.rpc import languages

KIND = "envoy.extensions.filters.http.lua.v3.Lua"
"""The message that configures such a filter; that of a route has ``PerRoute`` behind it."""


def lua(value: object) -> str:
    """Writes ``value`` as an expression of Lua: texts, truths, whole numbers, and dictionaries with texts as keys."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        # JSON escapes what Lua escapes, as long as no \\u is needed.
        return json.dumps(value, ensure_ascii=False).replace("\\/", "/")
    assert isinstance(value, dict)
    return "{" + ",".join(f"[{lua(key)}]={lua(each)}" for key, each in value.items()) + "}"


def lua_text(name: str) -> str:
    """Returns a text that lies beside this file."""
    return resources.files("services.gateway").joinpath(f"{name}.lua").read_text(encoding="utf-8")


def languages_text() -> str:
    """Returns the text of ``language(headers)``: which language of ours a caller likes best."""
    return f"local LANGUAGES = {lua(dict(languages.SPOKEN))}\n{lua_text('languages')}"
