"""Distinguished names: written for people, and compared."""

from libs.crypto.x509.tlv import SEQUENCE, SET, Tlv, dotted, only, text

_SHORT = {
    "2.5.4.3": "CN",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.6": "C",
    "2.5.4.8": "ST",
    "2.5.4.7": "L",
    "2.5.4.5": "serialNumber",
    "2.5.4.9": "STREET",
    "2.5.4.4": "SN",
    "2.5.4.42": "GN",
    "2.5.4.12": "title",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
    "1.2.840.113549.1.9.1": "emailAddress",
}


def display(name: bytes) -> str:
    """Returns a DER Name for people, most specific part first, in the order of RFC 4514; raises ValueError."""
    pairs = [_pair(pair) for relative in only(name, SEQUENCE).children for pair in relative.expect(SET).children]
    return ", ".join(reversed(pairs))


def _pair(pair: Tlv) -> str:
    kind, value, *_ = pair.expect(SEQUENCE).children
    oid = dotted(kind)
    return f"{_SHORT.get(oid, oid)}={_escaped(text(value))}"


def _escaped(value: str) -> str:
    r"""Sets off what would look like another part of the name (RFC 4514, 2.4); what can't be printed is ``\hh``."""
    return "".join(
        f"\\{character}" if character in ',+"\\<>;=' else character if character.isprintable() else _hex(character)
        for character in value
    )


def _hex(character: str) -> str:
    return "".join(f"\\{octet:02x}" for octet in character.encode("utf-8", "surrogatepass"))


_FOLDED = str.maketrans({chr(letter): chr(letter + 32) for letter in range(ord("A"), ord("Z") + 1)})


def same(one: bytes, other: bytes) -> bool:
    """Tells whether two DER Names name the same (RFC 5280, 7.1, as OpenSSL does it).

    Kinds of strings, letters' case in ASCII and runs of blanks don't count.
    """
    if one == other:
        return True
    try:
        return _canonical(one) == _canonical(other)
    except ValueError:
        return False


def _canonical(name: bytes) -> list[frozenset[tuple[str, str]]]:
    relatives = only(name, SEQUENCE).children
    return [frozenset(map(_folded, relative.expect(SET).children)) for relative in relatives]


def _folded(pair: Tlv) -> tuple[str, str]:
    kind, value, *_ = pair.expect(SEQUENCE).children
    return dotted(kind), " ".join(text(value).translate(_FOLDED).split())
