"""The structures of GB/T 38540-2020 (SES, version 4): built as DER, parsed without losing the received bytes.

Versions 1 and 5 (GM/T 0031-2014 and -2025) are parsed too.
"""

from services.seal.core.ses.build import (
    SealPlan,
    build_many_tbs,
    build_seal,
    build_seal_info,
    build_signature,
    build_tbs,
)
from services.seal.core.ses.parse import (
    OLDER_VERSIONS,
    ParsedSeal,
    ParsedSignature,
    SesError,
    SesUnsupported,
    parse_seal,
    parse_signature,
)
from services.seal.core.ses.structures import SM2_WITH_SM3, SM3

__all__ = [
    "OLDER_VERSIONS",
    "SM2_WITH_SM3",
    "SM3",
    "ParsedSeal",
    "ParsedSignature",
    "SealPlan",
    "SesError",
    "SesUnsupported",
    "build_many_tbs",
    "build_seal",
    "build_seal_info",
    "build_signature",
    "build_tbs",
    "parse_seal",
    "parse_signature",
]
