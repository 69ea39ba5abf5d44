"""Catalogue entries as messages."""

from libs.db.etag import etag_of
from libs.rpc.messages import Names, timestamp
from services.sharing.core.resources import CatalogueResource
from tongban.sharing.v1 import events_pb2 as events
from tongban.sharing.v1 import resources_pb2 as pb

RESOURCE_STATES, SHARING_CLASSES = Names(pb.DataResourceState), Names(pb.SharingClass)


def resource_message(row: CatalogueResource) -> pb.DataResource:
    """Builds a catalogue entry's message."""
    return pb.DataResource(
        name=row.name,
        state=RESOURCE_STATES.number(row.state.value),
        entry=pb.CatalogEntry.FromString(row.entry),
        submit_time=timestamp(row.submit_time),
        publish_time=timestamp(row.publish_time),
        mounts=[row.mount] if row.mount else [],
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def published_event(resource: pb.DataResource) -> events.DataResourcePublished:
    """Builds what is told of an entry that was published."""
    entry = resource.entry
    return events.DataResourcePublished(
        resource=resource.name,
        code=entry.code,
        title=entry.title,
        provider_department=entry.provider_department,
        sharing_class=entry.sharing_class,
        publish_time=resource.publish_time,
    )
