"""The headers of the national exchange platforms: how they are read, checked and written.

国家数据共享交换平台 writes them with ``gjgxjhpt_``, 全国一体化平台 (数据直达) with ``gjzwfwpt_`` in front. Their signature covers neither the
verb nor the body: who holds what was sent can send another body with it. Nothing but the adapter goes by it.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from libs.errors import Unauthenticated, reasons

PREFIXES = ("gjgxjhpt_", "gjzwfwpt_")
_TIME_DIGITS, _MOST_CHARACTERS = 13, 128


@dataclass(frozen=True, slots=True)
class NationalHeaders:
    """What a request says of itself.

    Attributes:
        rid: who asks (requester id).
        sid: what for (service id, one for each interface).
        rtime: when, in milliseconds since the epoch, 13 digits.
        sign: the signature, Base64.
    """

    rid: str
    sid: str
    rtime: str
    sign: str

    @property
    def moment(self) -> float:
        """When, in seconds since the epoch."""
        return int(self.rtime) / 1000


def sign(secret: str, sid: str, rid: str, rtime: str) -> str:
    """Returns the signature: HMAC-SHA256 over sid, rid and rtime in this order, in Base64."""
    message = f"{sid}{rid}{rtime}".encode()
    return base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256)).decode()


def signed_headers(prefix: str, secret: str, sid: str, rid: str, milliseconds: int) -> dict[str, str]:
    """Returns the headers of a request to a platform, for who calls one."""
    rtime = str(milliseconds)
    said = {"rid": rid, "sid": sid, "rtime": rtime, "sign": sign(secret, sid, rid, rtime)}
    return {f"{prefix}{name}": value for name, value in said.items()}


def read(headers: Mapping[str, str]) -> NationalHeaders:
    """Reads the four headers of the one platform whose they are; raises Unauthenticated SIGNATURE_INVALID."""
    found = [prefix for prefix in PREFIXES if f"{prefix}sign" in headers]
    if len(found) != 1:
        raise _invalid("headers", "the headers rid, sid, rtime and sign of one platform are needed")
    said = [headers.get(f"{found[0]}{name}", "") for name in ("rid", "sid", "rtime", "sign")]
    if not all(0 < len(each) <= _MOST_CHARACTERS and each.isascii() and each.isprintable() for each in said):
        raise _invalid("headers", f"rid, sid, rtime and sign have 1 to {_MOST_CHARACTERS} characters")
    if len(said[2]) != _TIME_DIGITS or not said[2].isdigit():
        # Of another length the three could be cut otherwise, and mean something else under the same signature.
        raise _invalid("rtime", f"rtime has {_TIME_DIGITS} digits: milliseconds since 1970")
    return NationalHeaders(*said)


def check(headers: NationalHeaders, secret: str, now: float, window: float) -> None:
    """Raises Unauthenticated SIGNATURE_INVALID where the signature does not hold, or ``now`` is further than ``window`` seconds away.

    Args:
        headers: what was said.
        secret: the requester's; empty where none is known, which is told as a wrong signature is.
        now: the time, in seconds since the epoch.
        window: how far it may be away.
    """
    expected = sign(secret, headers.sid, headers.rid, headers.rtime)
    if not hmac.compare_digest(expected, headers.sign) or not secret:
        raise _invalid("sign", "the signature does not hold")
    if abs(now - headers.moment) > window:
        raise _invalid("rtime", "the time is too far away; compare your clock")


def once_key(headers: NationalHeaders, body: bytes, *, with_body: bool) -> str:
    """Returns what may come once: what was signed, and the body too where several may be sent in one millisecond."""
    parts = [headers.rid, headers.sid, headers.rtime, headers.sign]
    told = "\0".join(parts).encode() + (hashlib.sha256(body).digest() if with_body else b"")
    return hashlib.sha256(told).hexdigest()


def _invalid(rule: str, message: str) -> Unauthenticated:
    return reasons.signature_invalid(message, rule=rule)
