"""MaterialService: upload in parts, reading, download in parts."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from libs.access.actor import Actor, Standing
from libs.access.context import lies_here, name_here
from libs.access.owners import hide_from_others, listed_owners
from libs.audit.reading import record_read
from libs.civil.calendar import local_day
from libs.db.command import command_of
from libs.db.uow import Transaction
from libs.errors import invalid_field, not_found, reasons
from libs.ids import names
from libs.ids.names import ResourceName
from libs.ids.uuid7 import uuid7
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.messages import date_of, timestamp
from services.license.core import leaving
from services.license.core.authorization import STATED, Inquiry, asked_by
from services.license.core.parts import Parts
from services.license.materials import rules, store
from services.license.materials.convert import material_message
from services.license.materials.rules import Material
from services.license.materials.upload import announced_by, metadata_of, streamed, uploaded
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import material_service_pb2 as pb

_READ, _BYTES = ("material",), ("material", "file")


class MaterialApi:
    """Keeps files, and hands them out."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def upload_material(self, request: AsyncIterator[pb.UploadMaterialRequest], call: Call) -> pb.Material:
        """Takes a file: metadata first, then chunks."""
        metadata = await metadata_of(request)
        command = replace(command_of(metadata, call=call), response_type=pb.Material)
        stored = await self._parts.uow.stored(command)
        if isinstance(stored, pb.Material):
            return await self._whole(stored.name)
        owner = _owner(metadata, call.actor)
        # A day that the calendar doesn't have is refused before a byte is taken.
        made = self._new(metadata, owner, call.actor.subject, self._parts.clock.now())
        content = await self._content(metadata, request, call)
        await self._parts.documents.put(content, made.media_type)

        async def work(tx: Transaction) -> pb.Material:
            added = await store.ADD.add(tx.connection, replace(made, create_time=tx.now, update_time=tx.now))
            _tell_uploaded(tx, added)
            return pb.Material(name=added.name)

        return await self._whole((await self._parts.uow.run(command, work)).name)

    async def _content(
        self, metadata: pb.MaterialMetadata, parts: AsyncIterator[pb.UploadMaterialRequest], call: Call
    ) -> bytes:
        """The bytes: those of the upload that the metadata names, or those that follow."""
        announced = announced_by(metadata)
        if not metadata.upload:
            return await streamed(announced, parts)

        async def take() -> bytes:
            file = await self._parts.uploads.take(metadata.upload, call.actor, rules.SIZE_LIMIT, "metadata.upload")
            return file.content

        return await uploaded(announced, take, parts)

    def _new(self, metadata: pb.MaterialMetadata, owner: str, uploader: str, now: datetime) -> Material:
        home, key, document = self._parts.home, uuid7(), metadata.document
        dated = metadata.HasField("end_date")
        return Material(
            id=key,
            owner=owner,
            category=metadata.category,
            file_name=self._parts.cipher.encrypt_text(store.FILE_NAME, key, metadata.file_name),
            digest=document.digest,
            media_type=document.media_type,
            size=document.size_bytes,
            case_name=name_here(metadata.case, home, home),
            handling_region=metadata.handling_region,
            reusable=metadata.reusable,
            valid_until=date_of(metadata.end_date, "metadata.valid_until") if dated else None,
            uploader=uploader,
            create_time=now,
            update_time=now,
        )

    async def _whole(self, name: str) -> pb.Material:
        return self._message(await store.get(self._parts.database, name))

    def _message(self, material: Material, region: str = "") -> pb.Material:
        return material_message(material, self._parts.cipher, local_day(self._parts.clock.now()), region)

    async def get_material(self, request: pb.GetMaterialRequest, call: Call) -> pb.Material:
        """Gets what is known of a material; what is not the reader's own is recorded."""
        material = await store.get(self._parts.database, request.name)
        asked = asked_by(call.actor, request.use_context, self._parts.home, STATED)
        await self._check(material, asked)
        if material.owner not in asked.reader.subjects or call.actor.delegate:
            command = command_of(request, call=call)
            await self._parts.audit.write(
                command, request.name, fields=_READ, record_count=1, subjects=[material.owner]
            )
        else:
            call.own()
        return self._message(material)

    async def list_materials(self, request: pb.ListMaterialsRequest, call: Call) -> pb.ListMaterialsResponse:
        """Lists what is one's own: people's, and what staff and machines handed in."""
        parts, scopes = self._parts, _listed(request, call.actor)
        today = local_day(parts.clock.now())
        async with parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, parts.pages, request, scopes, today=today)
        own = call.actor.standing is Standing.PERSON
        about, of = request.owner or "materials", {each.owner for each in shown}
        await record_read(parts.audit, request, about, _READ, len(shown), own=own, of=of, call=call)
        return pb.ListMaterialsResponse(materials=map(self._message, shown), next_page_token=token)

    async def _check(self, material: Material, asked: Inquiry) -> None:
        own = rules.is_own(material, asked.reader)
        if not own:
            # A person's region or case opens nothing: those are for the people who work on a case.
            hide_from_others(asked.actor, material.name, (material.owner,))
        looks_up = asked.use.case_name and not (own or asked.abroad or asked.is_keeper)
        case = await self._parts.cases.at_work(asked.use.case_name) if looks_up else None
        rules.check_read(material, asked.reader, self._parts.home, asked.use.case_name, case)

    async def download_material(
        self, request: pb.DownloadMaterialRequest, call: Call
    ) -> AsyncIterator[pb.DownloadMaterialResponse]:
        """Hands out the bytes of a material of this or of another region, part by part."""
        name = names.parse(request.name, "name", "materials")
        source = self._from_here if lies_here(call.actor, name.region, self._parts.home) else self._from_abroad
        if request.as_upload:
            await self._parts.uploads.check_room(call.actor, rules.SIZE_LIMIT)
        parts = source(name, request, call)
        async for part in self._as_upload(parts, call.actor) if request.as_upload else parts:
            yield part

    async def _as_upload(
        self, parts: AsyncIterator[pb.DownloadMaterialResponse], actor: Actor
    ) -> AsyncIterator[pb.DownloadMaterialResponse]:
        head = await anext(parts)
        content = b"".join([part.chunk async for part in parts])
        head.upload = await self._parts.uploads.give(content, head.material.document.media_type, actor)
        yield head

    async def _from_abroad(
        self, name: ResourceName, request: pb.DownloadMaterialRequest, call: Call
    ) -> AsyncIterator[pb.DownloadMaterialResponse]:
        """Fetches another region's material; a person in their own name, for the case opens them none."""
        assertion = await self._parts.regions.assertion_for(call.actor, name.region)
        if not assertion:
            await self._check_abroad(str(name), asked_by(call.actor, request.use_context, self._parts.home, STATED))
        context = await leaving.recorded(self._parts, call, request, str(name), name.region, STATED)
        wanted = pb.DownloadMaterialRequest(name=name.local, use_context=context)
        async for part in self._parts.regions.material(name.region, wanted, assertion, call.pass_on):
            yield part

    async def _check_abroad(self, name: str, asked: Inquiry) -> None:
        """Refuses unless the reader works on the case, and the case refers to the file."""
        if asked.is_keeper:
            return
        case = await self._parts.authorization.case_of(asked)
        if case is None or name not in case.materials:
            raise not_found(name) if asked.actor.standing is Standing.PERSON else rules.somebody_elses(name)

    async def _from_here(
        self, name: ResourceName, request: pb.DownloadMaterialRequest, call: Call
    ) -> AsyncIterator[pb.DownloadMaterialResponse]:
        material = await store.get(self._parts.database, name.local)
        asked = asked_by(call.actor, request.use_context, self._parts.home, STATED)
        await self._check(material, asked)
        content = await self._parts.documents.get(material.digest)
        command = command_of(request, call=call)
        await self._parts.audit.write(command, material.name, fields=_BYTES, record_count=1, subjects=[material.owner])
        message = self._message(material, self._parts.home if asked.abroad else "")
        yield pb.DownloadMaterialResponse(material=message)
        for start in range(0, len(content), rules.CHUNK_LIMIT):
            yield pb.DownloadMaterialResponse(chunk=content[start : start + rules.CHUNK_LIMIT])


def _listed(request: pb.ListMaterialsRequest, actor: Actor) -> list[Scope]:
    """Returns whose materials a list shows; raises NOT_OWNER, ACTOR_NOT_ALLOWED."""
    owners = [{"owner": each} for each in listed_owners(actor, request.owner)] or [{}]
    mine = {} if actor.standing is Standing.PERSON else {"uploader": actor.subject}
    return [Scope(mine | owner) for owner in owners]


def _owner(metadata: pb.MaterialMetadata, actor: Actor) -> str:
    """Returns whose the material is: as the metadata says, or whom the token speaks for.

    Raises FIELD_INVALID where neither says it, NOT_OWNER where a person names somebody else.
    """
    owner = metadata.owner or actor.organization or actor.person
    if not owner:
        raise invalid_field("metadata.owner", "owner.required", "staff and systems must say whose it is")
    if actor.standing is Standing.PERSON and owner not in actor.speaks_for:
        raise reasons.not_owner("a person hands in only their own materials")
    return owner


def _tell_uploaded(tx: Transaction, material: Material) -> None:
    tx.emit(
        material.name,
        events.MaterialUploaded(
            material=material.name,
            owner=material.owner,
            category=material.category,
            case=material.case_name,
            digest=material.digest,
            upload_time=timestamp(tx.now),
        ),
    )
