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
_FOLDS = _NARROW | dict.fromkeys(map(ord, _DOTS), MIDDLE_DOT)
_VARIATION = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_CLOSE = frozenset("()[]{}" + MIDDLE_DOT)


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char)[0] in "ZC" or char in _BLANK_LETTERS or bool(_VARIATION.match(char))


def is_blank(text: str) -> bool:
    """True where nothing of ``text`` can be seen: it is empty, or of blanks, controls and letters without a shape."""
    return all(_is_invisible(char) for char in text)


def printed(text: str) -> str:
    """Returns ``text`` as it is drawn: letters composed, without the choice of a glyph's variant."""
    return unicodedata.normalize("NFC", _VARIATION.sub("", text))


def key(name: str) -> str:
    """Returns what two ways of writing one name have in common; never shown, only compared and searched by."""
    folded = unicodedata.normalize("NFC", printed(name).translate(_FOLDS))
    words = " ".join(_blanks_as_spaces(folded).split(" ")).split()
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
        InvalidArgument: FIELD_INVALID with rule ``name.blank`` (nothing of it can be seen), or ``name.invisible`` (it holds
            a control, a line break, a mark of direction, or a letter without a shape, which nobody sees on a page).
    """
    if is_blank(name):
        raise invalid_field(field, "name.blank", "must hold something that can be seen")
    if any(_is_hidden(char) for char in name):
        raise invalid_field(field, "name.invisible", "must hold no character that can't be seen")
    return name


def _is_hidden(char: str) -> bool:
    kind = unicodedata.category(char)
    return (kind[0] == "C" and kind not in {"Co", "Cn"}) or kind in {"Zl", "Zp"} or char in _BLANK_LETTERS


def _blanks_as_spaces(text: str) -> str:
    return "".join(" " if unicodedata.category(char) == "Zs" else char for char in text)


def _stands_close(before: str, after: str) -> bool:
    """No blank counts beside a Chinese character, a dot or a bracket; between two Latin words it does."""
    return any(char in _CLOSE or unicodedata.east_asian_width(char) in "WF" for char in (before, after))
