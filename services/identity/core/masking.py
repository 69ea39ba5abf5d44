"""How names and numbers of people are masked, wherever they are shown so."""

from libs.names import printed


def mask_name(name: str) -> str:
    """``张三丰`` becomes ``张**``."""
    drawn = printed(name)
    return drawn[:1] + "*" * max(1, len(drawn) - 1)


def mask_number(number: str) -> str:
    """Keeps the first three and the last four characters of a document's number."""
    return number[:3] + "*" * max(1, len(number) - 7) + number[-4:] if len(number) > 7 else "*" * len(number)
