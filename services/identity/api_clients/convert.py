"""Clients as messages, and back. A secret never passes here."""

from collections.abc import Iterable
from datetime import datetime

from libs.db.etag import etag_of
from libs.errors import invalid_field
from libs.rpc.messages import Names, moment_of, timestamp
from services.identity.core.assurance_names import AssuranceName, AssuranceNames, check_names
from services.identity.core.certificate_reading import checked_certificates
from services.identity.core.client_certificates import ClientCertificate
from services.identity.core.client_rules import Client, ClientAuthMethod, ClientEnvironment, ClientKind, ClientState
from services.identity.core.client_terms import ClientTerms, check_ranges
from services.identity.core.jwk import checked_keys, jwks_message
from tongban.identity.v1 import resources_pb2 as pb
from tongban.options.v1 import options_pb2

KINDS, STATES, _ENVIRONMENTS = Names(pb.ClientKind), Names(pb.ClientState), Names(pb.ClientEnvironment)
_AUTH_METHODS, _ACTOR_KINDS = Names(pb.ClientAuthMethod), Names(options_pb2.ActorKind)
_CONSTRAINTS = Names(pb.SenderConstraint)


def new_client(asked: pb.Client, client_id: str, now: datetime, wall: datetime, region: ClientEnvironment) -> Client:
    """Returns the client that a request describes, without a secret, and as if it waited for nobody.

    Args:
        asked: what is asked for.
        client_id: its id.
        now: the business time.
        wall: the machine's.
        region: what the region is for.

    Raises:
        InvalidArgument: FIELD_INVALID.
    """
    terms = terms_of(asked)
    if terms.expire_time is not None and terms.expire_time <= wall:
        raise invalid_field("client.expire_time", "client.over", "must not have passed")
    return Client(
        id=client_id,
        display_name=asked.display_name,
        kind=ClientKind(KINDS.name(asked.kind)),
        owner=asked.owner,
        auth_method=ClientAuthMethod(_AUTH_METHODS.name(asked.auth_method)),
        scopes=terms.scopes,
        assertable=terms.assertable,
        max_assurance=terms.max_assurance,
        quota_per_second=asked.quota.per_second,
        quota_per_day=asked.quota.per_day,
        state=ClientState.ACTIVE,
        create_time=now,
        update_time=now,
        jwks=checked_keys(asked.jwks, "client.jwks") if asked.HasField("jwks") else None,
        environment=_environment(asked, region),
        ip_ranges=terms.ip_ranges,
        expire_time=terms.expire_time,
        rotate_time=wall,
        request_note=asked.request_note,
        redirect_uris=terms.redirect_uris,
        post_logout_redirect_uris=terms.post_logout_redirect_uris,
        backchannel_logout_uri=asked.backchannel_logout_uri,
        backchannel_logout_session_required=asked.backchannel_logout_session_required,
        device_sign_in=asked.device_sign_in,
        assurance_names=_names(asked).to_texts(),
        sender_constraint=terms.sender_constraint,
        signs=terms.signs,
        certificates=certificates_of(asked.certificates, "client.certificates", wall),
    )


def certificates_of(given: Iterable[pb.ClientCertificate], field: str, wall: datetime) -> tuple[ClientCertificate, ...]:
    """Returns the certificates that a message gives; raises InvalidArgument FIELD_INVALID where one is none of a client."""
    return checked_certificates([each.certificate for each in given], field, wall)


def certificate_message(kept: ClientCertificate) -> pb.ClientCertificate:
    """Builds the message of a certificate."""
    return pb.ClientCertificate(
        certificate=kept.der,
        thumbprint=kept.thumbprint,
        subject=kept.subject,
        not_before_time=timestamp(kept.not_before),
        not_after_time=timestamp(kept.not_after),
    )


def _names(asked: pb.Client) -> AssuranceNames:
    found = AssuranceNames(tuple(AssuranceName(each.value, each.assurance) for each in asked.assurance_names))
    check_names(found)
    return found


def _environment(asked: pb.Client, region: ClientEnvironment) -> ClientEnvironment:
    found = ClientEnvironment(_ENVIRONMENTS.name(asked.environment) or region)
    if found is not region:
        raise invalid_field("client.environment", "client.environment", "is another one than the region's")
    return found


def terms_of(said: pb.Client) -> ClientTerms:
    """Returns the terms that a message says; raises FIELD_INVALID where a range of addresses is none."""
    check_ranges(tuple(said.ip_ranges), "client.ip_ranges")
    right = said.assertion_right
    return ClientTerms(
        scopes=tuple(said.scopes),
        assertable=tuple(_ACTOR_KINDS.name(kind) for kind in right.actor_kinds),
        max_assurance=right.max_assurance,
        ip_ranges=tuple(said.ip_ranges),
        expire_time=moment_of(said.expire_time, "client.expire_time") if said.HasField("expire_time") else None,
        sender_constraint=_CONSTRAINTS.name(said.sender_constraint),
        signs=said.signed_requests == pb.SIGNED_REQUESTS_REQUIRED,
        redirect_uris=tuple(said.sign_in.redirect_uris),
        post_logout_redirect_uris=tuple(said.sign_in.post_logout_redirect_uris),
    )


def _terms_message(terms: ClientTerms) -> pb.ClientTerms:
    return pb.ClientTerms(
        scopes=terms.scopes,
        assertion_right=_right(terms),
        ip_ranges=terms.ip_ranges,
        expire_time=timestamp(terms.expire_time),
        sender_constraint=_CONSTRAINTS.number(terms.sender_constraint),
        signed_requests=_signed(terms.signs),
        sign_in=_sign_in(terms),
    )


def _sign_in(terms: ClientTerms) -> pb.ClientSignIn | None:
    if not terms.redirect_uris:
        return None
    return pb.ClientSignIn(redirect_uris=terms.redirect_uris, post_logout_redirect_uris=terms.post_logout_redirect_uris)


def _signed(signs: bool) -> pb.SignedRequests.ValueType:
    return pb.SIGNED_REQUESTS_REQUIRED if signs else pb.SIGNED_REQUESTS_OPTIONAL


def _right(terms: ClientTerms) -> pb.AssertionRight | None:
    kinds = [_ACTOR_KINDS.number(each) for each in terms.assertable]
    return pb.AssertionRight(actor_kinds=kinds, max_assurance=terms.max_assurance) if kinds else None


def client_message(row: Client, wall: datetime) -> pb.Client:
    """Builds a client's message, without its secret, as it stands at ``wall`` by the machine's clock."""
    return pb.Client(
        name=row.name,
        display_name=row.display_name,
        kind=KINDS.number(row.kind.value),
        owner=row.owner,
        auth_method=_AUTH_METHODS.number(row.auth_method.value),
        jwks=jwks_message(row.jwks) if row.jwks else None,
        scopes=row.scopes,
        assertion_right=_right(row.terms),
        quota=pb.ClientQuota(per_second=row.quota_per_second, per_day=row.quota_per_day),
        pending_jwks=jwks_message(row.pending.jwks) if row.pending else None,
        approvals=len(row.backers),
        state=STATES.number(row.state_at(wall).value),
        suspend_reason=row.suspend_reason,
        overlap_expire_time=timestamp(row.overlap_expire_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
        sign_in=_sign_in(row.terms),
        environment=_ENVIRONMENTS.number(row.environment.value),
        ip_ranges=row.ip_ranges,
        expire_time=timestamp(row.expire_time),
        rotate_time=timestamp(row.rotate_time or row.create_time),
        pending_terms=_terms_message(row.pending_terms) if row.pending_terms else None,
        request_note=row.request_note,
        applicant=row.applicant,
        refuse_reason=row.refuse_reason,
        backchannel_logout_uri=row.backchannel_logout_uri,
        backchannel_logout_session_required=row.backchannel_logout_session_required,
        device_sign_in=row.device_sign_in,
        assurance_names=[pb.AssuranceName(value=each.value, assurance=each.assurance) for each in row.assurance.names],
        sender_constraint=_CONSTRAINTS.number(row.sender_constraint),
        signed_requests=_signed(row.signs),
        certificates=map(certificate_message, row.certificates),
    )
