"""The certificate with which a caller opened the connection to the gateway, as the gateway tells it (RFC 8705).

Envoy checks the chain and that the caller has the key, takes away what a caller says under this name, and writes the certificate's digest.
"""

import base64
import re

from libs.access.bound_keys import of_certificate

HEADER = "x-forwarded-client-cert"
"""Where the gateway tells it. Believed of the gateway alone."""
_HASH = re.compile(r"(?:^|;)hash=([0-9a-f]{64})(?=;|$)", re.ASCII | re.IGNORECASE)


def presented(told: str) -> str:
    """Returns what tokens say that are bound to the certificate of which the gateway tells; empty where it tells of none.

    Args:
        told: the header; of several certificates, which no gateway of ours tells, none counts.
    """
    found = [] if "," in told else _HASH.findall(told)
    if len(found) != 1:
        return ""
    return of_certificate(base64.urlsafe_b64encode(bytes.fromhex(found[0])).decode().rstrip("="))
