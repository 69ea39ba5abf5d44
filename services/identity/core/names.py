"""Resource names of this region and of others."""

from libs.errors import not_found
from libs.ids.uuid7 import is_uuid7


def id_of(name: str) -> str:
    """Returns the last part of a name of this region; raises NotFound where it is no id that was ever given out."""
    identifier = name.rpartition("/")[2]
    if name.startswith("//") or not is_uuid7(identifier):
        raise not_found(name)
    return identifier


def local_name(name: str, region: str) -> str:
    """Returns a resource name as this region writes it: its own without ``//<region>/``."""
    return name.removeprefix(f"//{region}/")


def region_of(name: str) -> str:
    """Returns the id of the region that a foreign name belongs to; empty for a name of our own."""
    return name[2:].partition("/")[0] if name.startswith("//") else ""
