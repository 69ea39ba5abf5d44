"""Which RPCs have to do with things of another region, so that the other region may be asked: read from their messages."""

import re

from google.protobuf.descriptor import Descriptor

from buf.validate import validate_pb2
from libs.rpc.contract import Method
from tongban.common.v1 import common_pb2

_REGION = re.compile(r"(^|.*_)regions?$")
_FOREIGN = re.compile(r"(?<!:)//")
"""In a pattern: a name that may begin with its region (``//<region>/…``), and no URL."""
_NAMED_ONLY = common_pb2.UseContext.DESCRIPTOR.full_name
"""What stands in it is written down, and asked of nobody."""


def may_cross(method: Method) -> bool:
    """Whether what it is given or answers with can name a region, or a thing of another one."""
    seen: set[str] = set()
    descriptor = method.descriptor
    return any(_names_another(kind, seen) for kind in (descriptor.input_type, descriptor.output_type))


def _names_another(message: Descriptor, seen: set[str]) -> bool:
    if message.full_name in seen or message.full_name == _NAMED_ONLY:
        return False
    seen.add(str(message.full_name))
    for field in message.fields:
        rules = field.GetOptions().Extensions[validate_pb2.field]
        patterns = rules.string.pattern + rules.repeated.items.string.pattern
        if _REGION.fullmatch(field.name) or _FOREIGN.search(patterns):
            return True
    return any(_names_another(field.message_type, seen) for field in message.fields if field.message_type is not None)
