"""Checks personal codes without asking anybody, by the keys that regions publish (`GetCodeKeys`)."""

from libs.personal_codes import CodeContent, CodeRefused, check, keys_of

__all__ = ["CodeContent", "CodeRefused", "check", "keys_of"]
