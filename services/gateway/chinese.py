"""The contracts in Chinese: their image with every comment and condition replaced by what proto/zh says for it."""

import json

from google.protobuf import descriptor_pb2

from libs.rpc.images import image_path
from tongban.options.v1 import options_pb2


def chinese_texts() -> dict[str, str]:
    """Returns the Chinese of each English text of the contracts (proto/texts.py makes it)."""
    made = image_path().parent / "tongban" / "zh.json"
    texts: dict[str, str] = json.loads(made.read_bytes())
    return texts


def in_chinese(image: descriptor_pb2.FileDescriptorSet, texts: dict[str, str]) -> descriptor_pb2.FileDescriptorSet:
    """Returns the image as it would be had the contracts been written in Chinese; what has no Chinese stays."""
    copy = descriptor_pb2.FileDescriptorSet()
    copy.CopyFrom(image)
    for file in copy.file:
        for place in file.source_code_info.location:
            said = place.leading_comments.strip()
            place.leading_comments = texts.get(said, said)
        for service in file.service:
            for method in service.method:
                if method.options.HasExtension(options_pb2.rpc):
                    for refusal in method.options.Extensions[options_pb2.rpc].refuses:
                        refusal.when = texts.get(refusal.when, refusal.when)
    return copy
