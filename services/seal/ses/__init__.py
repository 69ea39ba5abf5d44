"""The structures of GB/T 38540-2020 (SES, version 4): built as DER, parsed without losing the received bytes."""

from services.seal.ses.build import SealPlan, build_many_tbs, build_seal, build_seal_info, build_signature, build_tbs
from services.seal.ses.parse import ParsedSeal, ParsedSignature, SesError, parse_seal, parse_signature
from services.seal.ses.structures import SM2_WITH_SM3, SM3

__all__ = [
    "SM2_WITH_SM3",
    "SM3",
    "ParsedSeal",
    "ParsedSignature",
    "SealPlan",
    "SesError",
    "build_many_tbs",
    "build_seal",
    "build_seal_info",
    "build_signature",
    "build_tbs",
    "parse_seal",
    "parse_signature",
]
