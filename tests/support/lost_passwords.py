"""Passwords that were lost elsewhere, as regions of the tests know them."""

import hashlib

LOST_PASSWORDS = ("曾经沧海难为水除却巫山不是云", "correct horse battery staple", "春风又绿江南岸明月何时照我还")


def digest_of_password(password: str) -> str:
    """What stands in a list of lost passwords for one of them (the form of Have I Been Pwned)."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
