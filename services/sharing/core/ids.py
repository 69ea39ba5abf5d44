"""The ids in names of this service's resources."""

from libs.errors import not_found
from libs.ids.uuid7 import is_uuid7


def key_of(name: str) -> str:
    """Returns the id of a resource name of this service; raises NotFound for one that it can't have given out."""
    key = name.rpartition("/")[2]
    if not is_uuid7(key):
        raise not_found(name)
    return key
