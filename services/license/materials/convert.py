"""Materials as messages."""

from datetime import date

from libs.crypto.envelope import FieldCipher
from libs.db.etag import etag_of
from libs.rpc.messages import Names, date_message, timestamp
from services.license.materials.rules import Material, state_on
from services.license.materials.store import FILE_NAME
from tongban.common.v1 import common_pb2
from tongban.license.v1 import material_service_pb2 as pb

_STATES = Names(pb.MaterialState)


def material_message(material: Material, cipher: FieldCipher, today: date, region: str = "") -> pb.Material:
    """Builds a material's message as of ``today``; ``region`` goes in front of its name where another region asked."""
    document = common_pb2.DocumentRef(digest=material.digest, media_type=material.media_type, size_bytes=material.size)
    return pb.Material(
        name=f"//{region}/{material.name}" if region else material.name,
        owner=material.owner,
        category=material.category,
        file_name=cipher.decrypt_text(FILE_NAME, material.id, material.file_name),
        document=document,
        case=material.case_name,
        handling_region=material.handling_region,
        reusable=material.reusable,
        end_date=date_message(material.valid_until),
        uploader=material.uploader,
        reuse_count=material.reuse_count,
        state=_STATES.number(state_on(material, today).value),
        create_time=timestamp(material.create_time),
        update_time=timestamp(material.update_time),
        erase_time=timestamp(material.erase_time),
        etag=etag_of(material.version),
    )
