"""Names of people and organisations: what may be one, when two are the same, and what is printed.

What is kept is always what was given. `docs/glossary.md` tells the rules in the words of the offices; here they stand once,
for input (``check``), for comparison, search and blind indexes (``key``), and for print (``printed``).

The rules fold ways of *writing* one letter, never letters that look alike: canonically equal sequences (Unicode Standard
Annex 15, NFC), the width of Latin letters, digits and marks (Annex 11), the dots that stand between the parts of a name,
blanks where Chinese has none, and the variant of a glyph (ideographic variation). Upper and lower case, simplified and
traditional characters, and letters of different scripts stay different.
"""

import re
import unicodedata

from libs.errors import invalid_field

MIDDLE_DOT = "·"
"""What stands between the parts of a name (GB/T 15834-2011, 4.14)."""

_DOTS = "\u00b7\u2022\u2027\u2219\u22c5\u30fb\uff65\u0387\u16eb\u2e31\u2024.\uff0e\ufe52"
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {0xFE59: 0x28, 0xFE5A: 0x29}
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_RADICALS = {code: unicodedata.normalize("NFKC", chr(code)) for code in (*range(0x2F00, 0x2FD6), 0x2E9F, 0x2EF3)}
"""Radicals that are a character too (Unicode Standard, 18.2): they stand for it in what was copied from a page."""
_MAPPED_LATER = {
    0xE816: "\U00020087",
    0xE817: "\U00020089",
    0xE818: "\U000200cc",
    0xE81E: "\u9fb4",
    0xE826: "\u9fb5",
    0xE82B: "\u9fb6",
    0xE82C: "\u9fb7",
    0xE831: "\U000215d7",
    0xE832: "\u9fb8",
    0xE83B: "\U0002298f",
    0xE843: "\u9fb9",
    0xE854: "\u9fba",
    0xE855: "\U000241fe",
    0xE864: "\u9fbb",
}
_PRIVATE = {
    0xE815 + place: bytes((0xFE, second)).decode("gb18030")
    for place, second in enumerate(second for second in range(0x50, 0xA1) if second != 0x7F)
} | _MAPPED_LATER
"""The ideographs FE50 to FEA0 of GBK, for which it used private codes; GB 18030-2022 has characters for all of them."""
_FOLDS = _NARROW | _RADICALS | dict.fromkeys(map(ord, _DOTS), MIDDLE_DOT)
_VARIATION = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_COMPATIBILITY = re.compile("([\uf900-\ufaff\U0002f800-\U0002fa1f])")
_UNKNOWN = re.compile("[\u2ff0-\u2fff\u303e\ufffc\ufffd]")
"""Descriptions of ideographs, and what stands where a character was lost."""
_IDEOGRAPHIC_PLANES = range(0x20000, 0x40000)
_CLOSE = frozenset("()[]{}" + MIDDLE_DOT)


def _is_new_ideograph(char: str) -> bool:
    """Tells of an ideograph that is younger than this interpreter's tables; its planes hold nothing else."""
    return ord(char) in _IDEOGRAPHIC_PLANES and unicodedata.category(char) == "Cn" and ord(char) & 0xFFFE != 0xFFFE


def _is_invisible(char: str) -> bool:
    if ord(char) in _PRIVATE or _is_new_ideograph(char):
        return False
    return unicodedata.category(char)[0] in "ZC" or char in _BLANK_LETTERS or bool(_VARIATION.match(char))


def is_blank(text: str) -> bool:
    """True where nothing of ``text`` can be seen: it is empty, or of blanks, controls and letters without a shape."""
    return all(_is_invisible(char) for char in text)


def printed(text: str) -> str:
    """Returns ``text`` as it is drawn: letters composed, without the choice of a glyph's variant.

    Compatibility ideographs keep their shape, and the private codes of GBK become the characters that they stood for.
    """
    known = _VARIATION.sub("", text).translate(_PRIVATE)
    # Only what stands between compatibility ideographs is composed: NFC would replace them.
    parts = _COMPATIBILITY.split(known)
    return "".join(part if _COMPATIBILITY.match(part) else unicodedata.normalize("NFC", part) for part in parts)


def key(name: str) -> str:
    """Returns what two ways of writing one name have in common; never shown, only compared and searched by."""
    folded = unicodedata.normalize("NFC", printed(name).translate(_FOLDS))
    words = _blanks_as_spaces(folded).split()
    joined = ""
    for word in words:
        joined += word if not joined or _stands_close(joined[-1], word[0]) else f" {word}"
    return unicodedata.normalize("NFC", joined)


def same(one: str, other: str) -> bool:
    """True where two texts are one name."""
    return key(one) == key(other)


def check(name: str, field: str) -> str:
    """Returns a name that was handed in, as it was given.

    Raises:
        InvalidArgument: FIELD_INVALID with rule ``name.blank`` (nothing of it can be seen), ``name.invisible`` (it holds
            a control, a line break, a mark of direction, or a letter without a shape, which nobody sees on a page), or
            ``name.unknown`` (it holds what stands for no character that others know: a private or unassigned code, a
            replacement character, the description of an ideograph).
    """
    if is_blank(name):
        raise invalid_field(field, "name.blank", "must hold something that can be seen")
    if any(_is_hidden(char) for char in name):
        raise invalid_field(field, "name.invisible", "must hold no character that can't be seen")
    if any(_is_unknown(char) for char in name):
        raise invalid_field(field, "name.unknown", "must hold no code that stands for no character")
    return name


def _is_unknown(char: str) -> bool:
    if _UNKNOWN.match(char):
        return True
    return unicodedata.category(char) in ("Co", "Cn") and ord(char) not in _PRIVATE and not _is_new_ideograph(char)


def _is_hidden(char: str) -> bool:
    kind = unicodedata.category(char)
    return (kind[0] == "C" and kind not in {"Co", "Cn"}) or kind in {"Zl", "Zp"} or char in _BLANK_LETTERS


def _blanks_as_spaces(text: str) -> str:
    return "".join(" " if unicodedata.category(char) == "Zs" else char for char in text)


def _stands_close(before: str, after: str) -> bool:
    """No blank counts beside a Chinese character, a dot or a bracket; between two Latin words it does."""
    return any(char in _CLOSE or unicodedata.east_asian_width(char) in "WF" for char in (before, after))
