"""The pages' templates, with what every page says of its region."""

import base64
import hashlib
from importlib.metadata import version
from importlib.resources import files

import jinja2

from services.gateway.config import GatewayConfig

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Of every page: it loads nothing, runs nothing and tells nobody where the reader came from."""


def script_text(name: str) -> str:
    """Returns a script of the pages."""
    return (files("services.gateway") / "templates" / name).read_text(encoding="utf-8")


def script_headers(script: str) -> dict[str, str]:
    """Returns the headers of a page that runs this script and no other, which reaches this site alone."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"{HEADERS['content-security-policy']}; script-src 'sha256-{digest}'; connect-src 'self'"
    return HEADERS | {"content-security-policy": policy}


SCRIPT = script_text("docs.js")
"""What the documentation's page runs: search, and trying a call."""
SCRIPT_HEADERS = script_headers(SCRIPT)
"""Of the documentation's page."""


def environment(config: GatewayConfig) -> jinja2.Environment:
    """Returns the templates of a region."""
    loader = jinja2.PackageLoader("services.gateway")
    made = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.globals.update(
        region=config.region.name,
        code=config.region.id,
        base_url=config.public.base_url,
        version=version("tongban"),
        has_my=config.my is not None,
    )
    return made


_WORDS = {
    404: ("没有这个页面", "地址可能输错，或页面已经移走。"),
    405: ("这个页面不能这样打开", "请从首页进入，重新操作。"),
    413: ("内容过大", "请选择较小的文件，重新操作。"),
    429: ("访问过于频繁", "请稍等片刻再试。"),
    503: ("服务暂时不可用", "请稍后再试。已经办理的事项不受影响。"),
}
_FAULT = ("服务出现问题", "请稍后再试。已经办理的事项不受影响。")
_REFUSED = ("无法打开这个页面", "请从首页进入，重新操作。")


def error_words(code: int) -> dict[str, str]:
    """Returns what the page of an HTTP error says: title and sentence."""
    title, sentence = _WORDS.get(code) or (_FAULT if code >= 500 else _REFUSED)
    return {"title": title, "sentence": sentence}
