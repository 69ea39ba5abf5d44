"""Etags (AIP-154): the row's version as text. An absent etag is allowed, a wrong one never."""

from libs.errors import reasons


def etag_of(version: int) -> str:
    """Returns the etag of a row's version."""
    return f'"{version}"'


def check_etag(resource: str, version: int, etag: str) -> None:
    """Raises Aborted ETAG_MISMATCH if the caller saw another version of ``resource``."""
    if etag and etag != etag_of(version):
        raise reasons.etag_mismatch(f"{resource} was changed since it was read", resource=resource)
