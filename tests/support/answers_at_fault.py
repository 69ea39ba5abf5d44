"""What no answer of a region's gateway may be."""

_INTERNAL = (
    "Traceback",
    "asyncpg",
    "sqlalchemy",
    "psycopg",
    "SELECT ",
    "INSERT ",
    "site-packages",
    "RuntimeError",
    "ValueError",
    "TypeError",
    "KeyError",
    "RecursionError",
    "UnicodeError",
    "AttributeError",
    "grpc.aio",
    "joserfc",
    '.py"',
    "/tmp/",
    "object at 0x",
    "NoneType",
)
_MAY_BE_AWAY = {"DEPENDENCY_UNAVAILABLE", "AUDIT_UNAVAILABLE"}


def faults(status: int, kind: str, body: str) -> list[str]:
    """Returns what is wrong with an HTTP answer: a 5xx that is not meant, no type, or a word of our insides."""
    found = [f"says {word!r}" for word in _INTERNAL if word in body]
    if status >= 400 and kind.startswith("text/plain"):
        found.append("is plain text")
    if status >= 500 and not (status == 503 and any(reason in body for reason in _MAY_BE_AWAY)):
        found.append(f"is {status}")
    return found
