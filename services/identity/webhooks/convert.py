"""Webhooks and deliveries as messages, and back; and events as bodies."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache

from google.protobuf import json_format

from libs.crypto.envelope import FieldCipher
from libs.db.etag import etag_of
from libs.events.types import events_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, moment_of, timestamp
from services.identity.webhooks import signing
from services.identity.webhooks.line import Queued
from services.identity.webhooks.rules import Attempt, Delivery, SendAnswer, SignatureScheme, Webhook
from services.identity.webhooks.tables import BODY
from tongban.cases.v1 import events_pb2 as _cases
from tongban.events.v1 import change_service_pb2 as changes_pb
from tongban.identity.v1 import events_pb2 as _identity
from tongban.identity.v1 import webhook_service_pb2 as pb
from tongban.license.v1 import events_pb2 as _license
from tongban.seal.v1 import events_pb2 as _seal
from tongban.sharing.v1 import events_pb2 as _sharing

PING = "cn.tongban.webhook.ping"
_TOLD_OF = (_cases, _identity, _license, _seal, _sharing)
"""What can be told: their messages are what `data` of a change is read as."""
_SCHEMES, _STATES = Names(pb.WebhookSignatureScheme), Names(pb.WebhookState)
_DELIVERY_STATES, _FAILURES = Names(pb.WebhookDeliveryState), Names(pb.WebhookFailure)


@cache
def public_types() -> frozenset[str]:
    """Returns the types of the events that others than the region's services are told of."""
    services = [each.DESCRIPTOR.package.split(".")[1] for each in _TOLD_OF]
    return frozenset(kind for each in services for kind, said in events_of(each).items() if said.public)


def webhook_message(row: Webhook, cipher: FieldCipher, now: datetime) -> pb.Webhook:
    """Builds a webhook's message, without its secret."""
    secret = cipher.decrypt(signing.SECRET, row.id, row.secret)
    overlaps = row.overlap_expire_time is not None and now < row.overlap_expire_time
    return pb.Webhook(
        name=row.name,
        client=row.client,
        display_name=row.display_name,
        url=row.url,
        types=row.types,
        signature_scheme=_SCHEMES.number(row.signature_scheme.value),
        public_key=signing.public_text(row.signature_scheme, secret),
        overlap_expire_time=timestamp(row.overlap_expire_time) if overlaps else None,
        state=_STATES.number(row.state.value),
        suspend_reason=row.suspend_reason,
        suspender=row.suspender,
        gap_time=timestamp(row.gap_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def new_webhook(asked: pb.Webhook, client: str, secret: bytes, cipher: FieldCipher, now: datetime) -> Webhook:
    """Returns the webhook that a request describes, for ``client``."""
    key = uuid7()
    return Webhook(
        id=key,
        client=client,
        display_name=asked.display_name,
        url=asked.url,
        types=tuple(asked.types),
        signature_scheme=scheme_of(asked),
        secret=cipher.encrypt(signing.SECRET, key, secret),
        create_time=now,
        update_time=now,
    )


def scheme_of(asked: pb.Webhook) -> SignatureScheme:
    """Returns how deliveries are to be signed."""
    return SignatureScheme(_SCHEMES.name(asked.signature_scheme) or SignatureScheme.HMAC_SHA256.value)


def delivery_message(row: Delivery) -> pb.WebhookDelivery:
    """Builds a delivery's message."""
    return pb.WebhookDelivery(
        name=row.name,
        webhook=f"webhooks/{row.webhook}",
        client=row.client,
        message=row.message,
        type=row.type,
        subject=row.subject,
        event_time=timestamp(row.event_time),
        state=_DELIVERY_STATES.number(row.state.value),
        attempts=[_attempt(each) for each in row.attempts],
        next_attempt_time=timestamp(row.next_attempt_time),
        deliver_time=timestamp(row.deliver_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def _attempt(made: Attempt) -> pb.WebhookAttempt:
    return pb.WebhookAttempt(
        attempt_time=timestamp(datetime.fromisoformat(made.time)),
        status_code=made.status,
        failure=_FAILURES.number(made.failure),
        duration_milliseconds=made.milliseconds,
    )


def attempt(answer: SendAnswer, now: datetime) -> Attempt:
    """Returns what is kept of an attempt that was made at ``now``."""
    return Attempt(now.isoformat(), answer.status, answer.failure.value, answer.milliseconds)


def body_of(change: changes_pb.Change) -> bytes:
    """Returns what is sent of a change: the CloudEvent as ListChanges gives it in JSON, with its time as `timestamp` besides."""
    told = json_format.MessageToDict(change)
    return _json({**told, "timestamp": told["time"]})


def queued(change: changes_pb.Change, service: str, cipher: FieldCipher) -> Queued:
    """Returns a change as it is put in line."""
    key = uuid7()
    return Queued(
        id=key,
        message=f"{service}_{change.id}".replace(".", "-"),
        type=change.type,
        subject=change.subject,
        body=cipher.encrypt(BODY, key, body_of(change)),
        event_time=moment_of(change.time, "time"),
    )


def ping(webhook: Webhook, placed: int, cipher: FieldCipher, now: datetime) -> Delivery:
    """Returns a delivery that tells of nothing, to be sent at ``now``, once."""
    key = uuid7()
    message = f"identity_{key}"
    told = {
        "specversion": "1.0",
        "id": key,
        "source": "//webhooks",
        "type": PING,
        "subject": webhook.name,
        "time": _text(now),
        "timestamp": _text(now),
        "data": {},
    }
    return Delivery(
        id=key,
        webhook=webhook.id,
        client=webhook.client,
        message=message,
        type=PING,
        subject=webhook.name,
        place=placed + 1,
        cursor="",
        body=cipher.encrypt(BODY, key, _json(told)),
        event_time=now,
        create_time=now,
        update_time=now,
        next_attempt_time=now,
        once=True,
    )


def _text(moment: datetime) -> str:
    told = timestamp(moment)
    assert told is not None
    return told.ToJsonString()


def _json(told: Mapping[str, object]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
