"""What Tongban's tokens say (RFC 9068, RFC 8693), and for how long they live."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from libs.access.bound_keys import bound_key, confirmation, scheme_of
from libs.errors import Unauthenticated, reasons

LEEWAY_SECONDS = 60
"""How far the clocks of two regions may differ, in both directions."""


class ActorKind(StrEnum):
    """Who acts (ActorKind of the contract)."""

    PERSON = "PERSON"
    STAFF = "STAFF"
    CLIENT = "CLIENT"
    SERVICE = "SERVICE"
    REGION = "REGION"


class TokenType(StrEnum):
    """The `typ` header (RFC 8725, 3.11: explicit typing keeps one kind from passing for another)."""

    ACCESS = "at+jwt"
    ASSERTION = "tongban-assertion+jwt"
    DELEGATION = "tongban-delegation+jwt"


_MOST_STATED = 2
"""The subject, and for whom they act."""

LONGEST_SECONDS = MappingProxyType(
    {TokenType.ACCESS: 600, TokenType.ASSERTION: 60, TokenType.DELEGATION: 90 * 24 * 3600}
)
"""No token lives longer, whatever was configured."""

_MOST_ACTORS = 4


@dataclass(frozen=True, slots=True)
class ActingParty:
    """Who acts in the subject's place (claim `act`, RFC 8693, 4.1), with who acted before them inside."""

    sub: str
    kind: ActorKind
    dept: str = ""
    act: "ActingParty | None" = None


@dataclass(frozen=True, slots=True)
class IdentityClaim:
    """Who somebody is, by the word of their home region (claim `ids`, only in assertions).

    Attributes:
        sub: the person or organisation.
        name: as the account has it.
        document: three digits of GA/T 2000.156.
        number: of the document.
    """

    sub: str
    name: str
    document: str
    number: str


@dataclass(frozen=True, slots=True)
class ActingRight:
    """The right to act for somebody, as a token carries it.

    Attributes:
        principal: for whom is acted (claim `org`): an organisation, or a person with a helper.
        uscc: the organisation's unified social credit code, which other regions know it by; empty for a person.
        mandate: the mandate, or an empty string for the legal representative.
        items: the item codes that the mandate covers; `*` for all.
        powers: what it lets the agent do.
        expire: when it ends, in seconds since the epoch; 0 where nothing limits it.
        passed_on_by: who passed the mandate on, `persons/…`; empty where the principal gave it, and abroad, where nobody
            looks them up.
        former: names that the principal, a person, had before accounts were merged (claim `org_former`).
    """

    principal: str
    uscc: str = ""
    mandate: str = ""
    items: tuple[str, ...] = ()
    powers: tuple[str, ...] = ()
    expire: int = 0
    passed_on_by: str = ""
    former: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims of a token of one of the three types.

    Attributes:
        type: the `typ` header.
        iss: the issuer.
        sub: about whom it is, `persons/…`, `staff/…`, `clients/…`, `services/…`; with `//<region>/` in front in
            assertions and for guests.
        aud: for which region, `//<region>`.
        iat: when it was made, in seconds since the epoch.
        exp: when it ends, likewise.
        jti: its id, unique; only tells whether it was used before.
        txn: the id under which both regions record what an assertion is for (RFC 8417, 2.2); empty in other tokens.
        actor_kind: the kind of who acts: the last actor's where `act` is set, else the subject's.
        acr: how well the person is known, 0 to 4.
        auth_time: when the person, or the member of staff, signed in at their channel, in seconds since the epoch; 0 where the
            channel did not say.
        delegated: when they asked for what the token is for, where a delegation was kept of it; 0 elsewhere, and where a region
            of before does not say.
        scope: the permissions; in an assertion those that its maker held, of which the other region grants what it will.
        client_id: the client that it was given to.
        act: who acts in the subject's place.
        authority: for whom the subject acts, or None for itself.
        dept: the department of the staff, as subject or as actor.
        posts: their posts.
        human: who the staff are as a human being, `persons/…`; empty for all others, who are their subject.
        ip_ranges: where the client calls from that it was given to (claim `cip`); none means anywhere.
        quota: how many calls that client may make, a second and a day (claim `quota`); empty where it has no quota.
        signs: whether that client signs each request (claim `signs`).
        via: further clients on whose word the token rests: the person's channel, where it is not the clerk's.
        near: whose affairs are also the staff's: firms that they represent, those they act for, those who act for them.
        region: the home region of a guest, its id; empty for the region's own.
        target: the region that a delegation is for, `//<region>`.
        transfer: the only transfer that the token is good for, or an empty string.
        stated: who the subject is, and for whom they act: only in assertions, for the other region to compare with.
        nbf: from when on it holds, in seconds since the epoch; ours say nothing, and hold from `iat` on.
        sid: the session in which the person signed in here (OpenID Connect Front-Channel Logout, 3), a UUID; empty where they
            signed in at a channel.
        grant: the sign-in to the client, a UUID, likewise (claim `grant_id`).
        represented: for whom the staff stand in, `staff/…` (claim `stands_in_for`); the posts are then that one's. Empty where
            they act in posts of their own.
        substitution: by which substitution, likewise.
        bound_key: the key that who shows the token must prove, or the certificate that they must come with (claim `cnf`;
            `libs.access.bound_keys`); empty where anybody may show it.
        former: names that the subject, a person, had before accounts were merged; what is kept under them is theirs.
    """

    type: TokenType
    iss: str
    sub: str
    aud: str
    iat: int
    exp: int
    jti: str
    actor_kind: ActorKind
    acr: int = 0
    auth_time: int = 0
    delegated: int = 0
    scope: tuple[str, ...] = ()
    client_id: str = ""
    act: ActingParty | None = None
    authority: ActingRight | None = None
    dept: str = ""
    posts: tuple[str, ...] = ()
    human: str = ""
    near: tuple[str, ...] = ()
    ip_ranges: tuple[str, ...] = ()
    quota: tuple[int, ...] = ()
    signs: bool = False
    via: tuple[str, ...] = ()
    region: str = ""
    target: str = ""
    transfer: str = ""
    nbf: int = 0
    txn: str = ""
    stated: tuple[IdentityClaim, ...] = ()
    sid: str = ""
    grant: str = ""
    represented: str = ""
    substitution: str = ""
    bound_key: str = ""
    former: tuple[str, ...] = ()

    @property
    def lifetime(self) -> int:
        """How many seconds lie between `iat` and `exp`."""
        return self.exp - self.iat

    @property
    def token_type(self) -> str:
        """How an access token is brought (RFC 6749, 7.1): as a bearer's, or with a proof of its key."""
        return scheme_of(self.bound_key)

    def actors(self) -> Iterator[ActingParty]:
        """Everybody who acts in the subject's place, the last one first."""
        act = self.act
        while act is not None:
            yield act
            act = act.act

    def payload(self) -> dict[str, Any]:
        """Returns the JWT payload; what is empty is left out, except `sub`, times and `acr`."""
        fixed = {
            "iss": self.iss,
            "sub": self.sub,
            "aud": self.aud,
            "iat": self.iat,
            "exp": self.exp,
            "jti": self.jti,
            "actor_kind": self.actor_kind.value,
            "acr": str(self.acr),
        }
        optional = {
            "auth_time": self.auth_time,
            "delegated": self.delegated,
            "scope": " ".join(self.scope),
            "client_id": self.client_id,
            "act": _act_payload(self.act),
            "dept": self.dept,
            "posts": list(self.posts),
            "human": self.human,
            "near": list(self.near),
            "cip": list(self.ip_ranges),
            "quota": list(self.quota),
            "signs": self.signs,
            "via": list(self.via),
            "region": self.region,
            "target": self.target,
            "transfer": self.transfer,
            "nbf": self.nbf,
            "txn": self.txn,
            "ids": [asdict(each) for each in self.stated],
            "sid": self.sid,
            "grant_id": self.grant,
            "stands_in_for": self.represented,
            "substitution": self.substitution,
            "cnf": confirmation(self.bound_key),
            "former": list(self.former),
            **_authority_payload(self.authority),
        }
        return {**fixed, **{key: value for key, value in optional.items() if value}}


def from_payload(token_type: TokenType, payload: Mapping[str, Any]) -> Claims:
    """Reads the payload of a token whose signature and `typ` were verified.

    Raises:
        Unauthenticated: TOKEN_INVALID with rule `claims` where a claim is missing or of another type.
    """
    try:
        return Claims(
            type=token_type,
            iss=_text(payload, "iss"),
            sub=_text(payload, "sub"),
            aud=_text(payload, "aud"),
            iat=_integer(payload, "iat"),
            exp=_integer(payload, "exp"),
            jti=_text(payload, "jti"),
            actor_kind=ActorKind(_text(payload, "actor_kind")),
            acr=int(_text(payload, "acr")),
            auth_time=_integer(payload, "auth_time", 0),
            delegated=_integer(payload, "delegated", 0),
            scope=tuple(_text(payload, "scope", "").split()),
            client_id=_text(payload, "client_id", ""),
            act=_read_act(payload.get("act")),
            authority=_read_authority(payload),
            dept=_text(payload, "dept", ""),
            posts=_texts(payload, "posts"),
            human=_text(payload, "human", ""),
            near=_texts(payload, "near"),
            ip_ranges=_texts(payload, "cip"),
            quota=_integers(payload, "quota"),
            signs=_flag(payload, "signs"),
            via=_texts(payload, "via"),
            region=_text(payload, "region", ""),
            target=_text(payload, "target", ""),
            transfer=_text(payload, "transfer", ""),
            stated=_read_stated(payload.get("ids", [])),
            nbf=_integer(payload, "nbf", 0),
            txn=_text(payload, "txn", ""),
            sid=_text(payload, "sid", ""),
            grant=_text(payload, "grant_id", ""),
            represented=_text(payload, "stands_in_for", ""),
            substitution=_text(payload, "substitution", ""),
            bound_key=bound_key(payload.get("cnf")),
            former=_texts(payload, "former"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise invalid("claims", "the token lacks a claim, or one is of another type") from error


def check_times(claims: Claims, now: datetime) -> None:
    """Raises Unauthenticated TOKEN_INVALID where the token is over, from the future, or too long for its type."""
    seconds = now.timestamp()
    if claims.exp + LEEWAY_SECONDS <= seconds:
        raise invalid("exp", "the token has expired")
    if claims.iat - LEEWAY_SECONDS > seconds:
        raise invalid("iat", "the token is from the future")
    if claims.nbf - LEEWAY_SECONDS > seconds:
        raise invalid("nbf", "the token does not hold yet")
    if claims.auth_time - LEEWAY_SECONDS > seconds:
        raise invalid("auth_time", "the token tells of a sign-in in the future")
    if claims.delegated - LEEWAY_SECONDS > seconds:
        raise invalid("delegated", "the token tells of a delegation in the future")
    if not 0 < claims.lifetime <= LONGEST_SECONDS[claims.type]:
        raise invalid("lifetime", "the token lives longer than its type may")


def invalid(rule: str, message: str) -> Unauthenticated:
    """Builds the error TOKEN_INVALID that names the rule that does not hold."""
    return reasons.token_invalid(message, rule=rule)


def _act_payload(act: ActingParty | None) -> dict[str, Any]:
    if act is None:
        return {}
    fields = {"sub": act.sub, "actor_kind": act.kind.value, "dept": act.dept, "act": _act_payload(act.act)}
    return {key: value for key, value in fields.items() if value}


def _authority_payload(authority: ActingRight | None) -> dict[str, Any]:
    if authority is None:
        return {}
    return {
        "org": authority.principal,
        "org_uscc": authority.uscc,
        "mandate": authority.mandate,
        "mandate_items": list(authority.items),
        "mandate_powers": list(authority.powers),
        "mandate_exp": authority.expire,
        "mandate_by": authority.passed_on_by,
        "org_former": list(authority.former),
    }


def _read_act(value: object, depth: int = 0) -> ActingParty | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or depth == _MOST_ACTORS:
        raise TypeError
    before = _read_act(value.get("act"), depth + 1)
    return ActingParty(_text(value, "sub"), ActorKind(_text(value, "actor_kind")), _text(value, "dept", ""), before)


def _read_stated(value: object) -> tuple[IdentityClaim, ...]:
    if not isinstance(value, list) or len(value) > _MOST_STATED:
        raise TypeError
    return tuple(IdentityClaim(*(_text(each, key) for key in ("sub", "name", "document", "number"))) for each in value)


def _read_authority(payload: Mapping[str, Any]) -> ActingRight | None:
    if "org" not in payload:
        return None
    return ActingRight(
        principal=_text(payload, "org"),
        uscc=_text(payload, "org_uscc", ""),
        mandate=_text(payload, "mandate", ""),
        items=_texts(payload, "mandate_items"),
        powers=_texts(payload, "mandate_powers"),
        expire=_integer(payload, "mandate_exp", 0),
        passed_on_by=_text(payload, "mandate_by", ""),
        former=_texts(payload, "org_former"),
    )


def _text(payload: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = payload.get(key, default)
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(payload: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = payload.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _texts(payload: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = payload.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError
    return tuple(value)


def _flag(payload: Mapping[str, Any], key: str) -> bool:
    value = payload.get(key, False)
    if not isinstance(value, bool):
        raise TypeError
    return value


def _integers(payload: Mapping[str, Any], key: str) -> tuple[int, ...]:
    value = payload.get(key, [])
    if not isinstance(value, list) or not all(type(item) is int for item in value):
        raise TypeError
    return tuple(value)
