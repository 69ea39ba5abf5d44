"""Who may hold which permission: the model's own table, written down in ``rights.txt`` and read from no contract."""

from collections import defaultdict
from pathlib import Path

PERSON, WINDOW, RECEIVING, STAFF, REGION, CASES = "PWRSGC"
SEND = "cases.caseTransfers.send"
ROLE = frozenset(
    {
        SEND,
        "cases.cases.create",
        "cases.cases.submit",
        "cases.caseDeliveries.create",
        "identity.persons.create",
        "identity.mandates.accept",
        "license.licenses.get",
        "license.materials.upload",
    }
)
"""What the roles of the model's posts name; one after another is taken from them."""
MACHINE = frozenset({"cases.cases.get", "cases.cases.list", "identity.organizations.get", "license.licenses.get"})
"""What the model's machines may at the most."""
WANTED = (
    "",
    "",
    "",
    SEND,
    "cases.cases.get license.licenses.get",
    "license.licenses.get",
    "identity.regions.get",
    "cases.cases.create cases.caseTransfers.send",
    "identity.persons.create",
    "cases.cases.*",
    "sharing.data.query",
    "*",
)
"""What is asked for with a token: nothing (all of it), some of what one may, what others may, and far too much."""


def _read() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for line in (Path(__file__).parent / "rights.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, letters = line.split()
            for each in letters:
                found[each].add(name)
    return {letter: frozenset(names) for letter, names in found.items()}


TABLE = _read()


def of_post(role: frozenset[str]) -> frozenset[str]:
    """What a post that receives gives, so far as its role names it; what every member of staff may do no role takes away."""
    return TABLE[STAFF] | (TABLE[RECEIVING] & role)


def asked(held: frozenset[str], wanted: str) -> frozenset[str] | None:
    """What a token gets that may hold ``held``: all where nothing is asked, else what is asked, or nothing at all."""
    names = frozenset(wanted.split())
    if not names:
        return held
    return names if names <= held else None
