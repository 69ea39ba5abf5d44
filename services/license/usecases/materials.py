"""The store of materials: upload in parts, reading, download in parts."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from libs.access.actor import Actor, Standing
from libs.audit.writer import AuditWriter
from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.db import rows
from libs.db.command import command_of
from libs.db.engine import Row
from libs.db.uow import Transaction, UnitOfWork
from libs.documents.store import DocumentStore, digest_of
from libs.errors import invalid_field, reasons
from libs.ids import names
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call, mark_own
from libs.rpc.timestamps import timestamp
from services.license.convert import FILE_NAME, date_of, material_message, material_rules_of
from services.license.domain import material as rules
from services.license.domain.reader import canonical_case
from services.license.domain.validity import civil_date
from services.license.store.cases import CaseStore
from services.license.store.materials import MaterialStore
from services.license.tables import materials
from services.license.usecases.abroad import Abroad
from services.license.usecases.asking import Asking, asking, subjects_of
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import material_service_pb2 as pb
from tongban.license.v1 import recognition_service_pb2 as recognition

_READ, _BYTES = ("material",), ("material", "file")
_HEAD_BYTES = 8


class Materials:
    """Use cases of MaterialService."""

    def __init__(
        self,
        uow: UnitOfWork,
        store: MaterialStore,
        documents: DocumentStore,
        audit: AuditWriter,
        abroad: Abroad,
        cases: CaseStore,
        cipher: FieldCipher,
        clock: Clock,
        home: str,
    ) -> None:
        self._uow = uow
        self._store = store
        self._documents = documents
        self._audit = audit
        self._abroad = abroad
        self._cases = cases
        self._cipher = cipher
        self._clock = clock
        self._home = home

    async def upload(self, parts: AsyncIterator[pb.UploadMaterialRequest]) -> pb.Material:
        """Takes a file: metadata first, then chunks."""
        metadata = await _metadata(parts)
        command = replace(command_of(metadata), response_type=pb.Material)
        stored = await self._uow.stored(command)
        if isinstance(stored, pb.Material):
            return await self._whole(stored.name)
        owner = _owner(metadata, current_call().actor)
        valid_until = (
            date_of(metadata.valid_until, "metadata.valid_until") if metadata.HasField("valid_until") else None
        )
        content = await _content(metadata, parts)
        document = await self._documents.put(content, metadata.document.media_type)
        key = uuid7()

        async def work(tx: Transaction) -> pb.Material:
            values = self._values(metadata, key, owner, valid_until, tx.now)
            row = await rows.insert(tx.connection, materials, values)
            tx.emit(
                f"materials/{key}",
                events.MaterialUploaded(
                    material=f"materials/{key}",
                    owner=owner,
                    category=row.category,
                    case_name=row.case_name,
                    digest=document.digest,
                    upload_time=timestamp(tx.now),
                ),
            )
            return pb.Material(name=f"materials/{key}")

        return await self._whole((await self._uow.run(command, work)).name)

    def _values(
        self, metadata: pb.MaterialMetadata, key: str, owner: str, valid_until: date | None, now: datetime
    ) -> dict[str, Any]:
        document = metadata.document
        return {
            "id": key,
            "owner": owner,
            "category": metadata.category,
            "file_name": self._cipher.encrypt_text(FILE_NAME, key, metadata.file_name),
            "digest": document.digest,
            "media_type": document.media_type,
            "size": document.size_bytes,
            "case_name": canonical_case(metadata.case_name, self._home),
            "handling_region": metadata.handling_region,
            "reusable": metadata.reusable,
            "valid_until": valid_until,
            "uploader": current_call().actor.subject,
            "state": rules.MaterialState.ACTIVE.value,
            "create_time": now,
            "update_time": now,
        }

    async def _whole(self, name: str) -> pb.Material:
        return self._message(await self._store.get(name.removeprefix("materials/")))

    def _message(self, row: Row, region: str = "") -> pb.Material:
        state = rules.state_on(material_rules_of(row), civil_date(self._clock.now()))
        file_name = self._cipher.decrypt_text(FILE_NAME, row.id, row.file_name)
        return material_message(row, file_name, state.value, region)

    async def get(self, request: pb.GetMaterialRequest) -> pb.Material:
        """Reads what is known of a material; what is not the reader's own is recorded."""
        row = await self._store.get(request.name.removeprefix("materials/"))
        asked = asking(current_call().actor, request.context, self._home)
        await self._check(row, asked)
        if row.owner not in asked.reader.subjects or asked.actor.delegate:
            await self._audit.write(command_of(request), request.name, fields=_READ, record_count=1)
        else:
            mark_own()
        return self._message(row)

    async def _check(self, row: Row, asked: Asking) -> None:
        material, case_name = material_rules_of(row), asked.purpose.case_name
        own = rules.is_own(material, asked.reader)
        if asked.actor.standing is Standing.PERSON and not own:
            # A person's region or case opens nothing: those are for the people who work on a case.
            raise rules.somebody_elses(material.name)
        looks_up = case_name and not own and not asked.abroad and asked.reader.client != rules.KEEPER_OF_CASES
        case = await self._cases.handled(case_name) if looks_up else None
        rules.check_read(material, asked.reader, self._home, case_name, case)

    async def download(self, request: pb.DownloadMaterialRequest) -> AsyncIterator[pb.DownloadMaterialResponse]:
        """Hands out the bytes of a material of this or of another region, part by part."""
        name = names.parse(request.name, "name", "materials")
        if name.is_foreign(self._home):
            async for part in self._abroad.material(name, request):
                yield part
            return
        async for part in self._parts(request, name.id):
            yield part

    async def download_for_region(
        self, request: recognition.DownloadRemoteMaterialRequest
    ) -> AsyncIterator[pb.DownloadMaterialResponse]:
        """Hands out the bytes of a material to the region that handles its case."""
        await self._abroad.check_inbound(current_call().actor)
        async for part in self._parts(request, request.name.removeprefix("materials/")):
            yield part

    async def _parts(
        self, request: pb.DownloadMaterialRequest | recognition.DownloadRemoteMaterialRequest, identifier: str
    ) -> AsyncIterator[pb.DownloadMaterialResponse]:
        row = await self._store.get(identifier)
        asked = asking(current_call().actor, request.context, self._home)
        await self._check(row, asked)
        content = await self._documents.get(row.digest)
        receipt = await self._audit.write(command_of(request), f"materials/{identifier}", fields=_BYTES, record_count=1)
        material = self._message(row, self._home if asked.abroad else "")
        yield pb.DownloadMaterialResponse(head=pb.MaterialHead(material=material, receipt=receipt))
        for start in range(0, len(content), rules.CHUNK_LIMIT):
            yield pb.DownloadMaterialResponse(chunk=content[start : start + rules.CHUNK_LIMIT])


async def _metadata(parts: AsyncIterator[pb.UploadMaterialRequest]) -> pb.MaterialMetadata:
    first = await anext(parts, None)
    if first is None or first.WhichOneof("part") != "metadata":
        raise rules.stream_invalid("metadata_first")
    return first.metadata


async def _content(metadata: pb.MaterialMetadata, parts: AsyncIterator[pb.UploadMaterialRequest]) -> bytes:
    """Collects the chunks; ends as soon as they can't be what was announced, and keeps nothing then."""
    reference = metadata.document
    announced = rules.Document(reference.digest, reference.media_type, reference.size_bytes)
    rules.check_announced(announced)
    content = bytearray()
    async for part in parts:
        if part.WhichOneof("part") != "chunk":
            raise rules.stream_invalid("chunk_expected")
        content += part.chunk
        rules.check_received(announced, len(content))
    whole = bytes(content)
    rules.check_content(announced, len(whole), digest_of(whole), whole[:_HEAD_BYTES])
    return whole


def _owner(metadata: pb.MaterialMetadata, actor: Actor) -> str:
    """Returns whose the material is: as the metadata says, or whom the token speaks for.

    Raises FIELD_INVALID where neither says it, NOT_OWNER where a person names somebody else.
    """
    mine = subjects_of(actor)
    own = actor.organization or actor.person
    owner = metadata.owner or own
    if not owner:
        raise invalid_field("metadata.owner", "owner.required", "staff and systems must say whose it is")
    if actor.standing is Standing.PERSON and owner not in mine:
        raise reasons.not_owner("a person hands in only their own materials")
    return owner
