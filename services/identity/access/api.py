"""AccessService: why somebody may call something, or may not."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from libs.access.actor import Actor, from_claims
from libs.audit.reading import record_read
from libs.db.connection import DatabaseConnection
from libs.errors import NotFound, invalid_field
from libs.rpc.call import Call
from libs.rpc.messages import Names
from libs.rpc.stages import permission
from services.identity.access.contracts import AccessOf, Declared
from services.identity.access.demands import tell_demands, tell_quota
from services.identity.access.findings import REFUSALS, Findings
from services.identity.access.standing import KnownCaller, guest, proven_at, standing
from services.identity.core import acting, clients
from services.identity.core.acting import HeldRight
from services.identity.core.claims import Claims
from services.identity.core.mandate_chain import MandateChain
from services.identity.core.mandate_rules import ActingBasis, MandatePower, check_item
from services.identity.core.names import region_of
from services.identity.core.parts import Parts
from services.identity.core.regions import require_trust
from services.identity.core.trust import TrustDirection, TrustGrade, require_changes
from tongban.identity.v1 import access_service_pb2 as pb
from tongban.options.v1 import options_pb2

_KINDS, _POWERS = Names(options_pb2.ActorKind), Names(options_pb2.MandatePower)


class AccessApi:
    """Explains access."""

    def __init__(self, parts: Parts, declared: AccessOf) -> None:
        self._parts = parts
        self._declared = declared

    async def explain_access(self, request: pb.ExplainAccessRequest, call: Call) -> pb.ExplainAccessResponse:
        """Explains whether somebody could call an RPC now, rule by rule."""
        declared, findings = self._declaration(request), Findings()
        access = declared.access
        async with self._parts.database.read() as connection:
            if region_of(request.principal):
                known = await self._guest(connection, request.principal, declared, findings)
            else:
                known = await self._known(connection, request, findings)
            right = await self._right(connection, request, findings)
        if known is not None and not access.public:
            actor = self._actor(known.claims, right, request.on_behalf_of)
            _judge(access, actor, known.sources, findings)
            _judge_mandate(access, actor, right.mandate if right else None, request.item_codes, findings)
            tell_demands(known.client, request.address, findings)
            await tell_quota(self._parts.quotas, actor, known.client, findings)
        await record_read(self._parts.audit, request, request.principal, ("access",), of=[request.principal], call=call)
        return pb.ExplainAccessResponse(
            outcome=findings.outcome, findings=findings.all, max_auth_age_seconds=access.max_auth_age_seconds
        )

    def _declaration(self, request: pb.ExplainAccessRequest) -> Declared:
        if request.client and request.principal.startswith("clients/"):
            raise invalid_field("client", "access.client", "is for people and staff, who sit at one")
        if request.on_behalf_of and not request.principal.startswith("persons/"):
            raise invalid_field("on_behalf_of", "access.acting", "only persons act for others")
        if request.mandate and not request.on_behalf_of:
            raise invalid_field("mandate", "access.mandate", "is named with for whom it is")
        if request.substitution and not request.principal.startswith("staff/"):
            raise invalid_field("substitution", "access.substitution", "only staff stand in for others")
        if request.client and region_of(request.principal):
            raise invalid_field("client", "access.client", "is for people and staff of this region")
        if request.address and not (request.client or request.principal.startswith("clients/")):
            raise invalid_field("address", "access.address", "is where a client calls from: needs one")
        if (declared := self._declared.get(request.method)) is None:
            raise invalid_field("method", "access.method", "must name an RPC of the contracts")
        return declared

    async def _guest(
        self, connection: DatabaseConnection, name: str, declared: Declared, findings: Findings
    ) -> KnownCaller | None:
        """Returns what a token would say of somebody of another region; None where no token would be made for them."""
        code = region_of(name)
        source = (f"regions/{code}",)
        try:
            region = await require_trust(connection, code, TrustDirection.INBOUND)
            known = guest(self._parts, name, region)
        except REFUSALS as error:
            findings.refused(pb.ACCESS_RULE_REGION_TRUST, error)
            return None
        terms = region.inbound
        told = f"state={region.inbound_state} grade={terms.grade} max_assurance={terms.max_assurance}"
        findings.holds(pb.ACCESS_RULE_REGION_TRUST, actual=told, sources=source)
        if not declared.access.public:
            findings.ask(
                pb.ACCESS_RULE_REGION_GRADE,
                (lambda: None) if declared.reads else partial(require_changes, code, terms),
                required=TrustGrade.READING if declared.reads else TrustGrade.FULL,
                actual=terms.grade,
                sources=source,
            )
        return known

    async def _known(
        self, connection: DatabaseConnection, request: pb.ExplainAccessRequest, findings: Findings
    ) -> KnownCaller | None:
        """Returns who they are, at the client where they sit; None where no token would be made for them."""
        channel = await clients.client(connection, request.client) if request.client else None
        try:
            known = await standing(self._parts, connection, request.principal, request.substitution)
        except NotFound:
            raise
        except REFUSALS as error:
            findings.refused(pb.ACCESS_RULE_ACCOUNT, error)
            return None
        findings.holds(pb.ACCESS_RULE_ACCOUNT, sources=known.sources)
        if known.staff is not None and known.staff.substitution:
            source = (known.staff.substitution,)
            findings.holds(pb.ACCESS_RULE_SUBSTITUTION, actual=known.staff.represented, sources=source)
        if channel is None:
            return known
        seated = partial(known.at, self._parts.codec.issue(proven_at(channel)), channel)
        return findings.ask(pb.ACCESS_RULE_CHANNEL, seated, sources=(channel.name,)) or known

    async def _right(
        self, connection: DatabaseConnection, request: pb.ExplainAccessRequest, findings: Findings
    ) -> HeldRight | None:
        """Returns the right to act; None where they act for themselves, or have none."""
        if not request.on_behalf_of:
            return None
        asked = (request.principal, request.on_behalf_of, request.mandate)
        try:
            right = await acting.right(connection, *asked, self._parts.clock.now())
        except REFUSALS as error:
            findings.refused(pb.ACCESS_RULE_ACTING, error)
            return None
        _tell_right(right, findings)
        return None if right.basis is ActingBasis.SELF else right

    def _actor(self, claims: Claims, right: HeldRight | None, principal: str) -> Actor:
        """Returns the caller that services would see by a token of these claims."""
        if right is not None:
            authority = right.in_a_token(principal, self._parts.clock.now(), self._parts.wall.now())
            claims = replace(claims, authority=authority)
        return from_claims(claims.payload(), "")


def _tell_right(right: HeldRight, findings: Findings) -> None:
    """Tells by which right they act; of a mandate also its kind, where it comes from, and in which other regions it holds."""
    chain = right.mandate
    if chain is None:
        findings.holds(pb.ACCESS_RULE_ACTING, actual=right.basis.value)
        return
    actual = f"{right.basis.value} {chain.mandate.kind.value}"
    findings.holds(pb.ACCESS_RULE_ACTING, actual=actual, sources=chain.names)
    if chain.regions is not None:
        findings.holds(pb.ACCESS_RULE_MANDATE_REGIONS, actual=" ".join(sorted(chain.regions)), sources=chain.names)


def _judge(access: options_pb2.Access, actor: Actor, sources: Sequence[str], findings: Findings) -> None:
    """Asks what every service asks of a token before it looks at anything else."""
    findings.ask(
        pb.ACCESS_RULE_ACTOR_KIND,
        partial(permission.check_kind, access, actor),
        required=" ".join(map(_KINDS.name, access.actors)),
        actual=_KINDS.name(actor.access_kind),
    )
    if access.handling in permission.HUMAN:
        findings.ask(pb.ACCESS_RULE_HUMAN, partial(permission.check_human, access, actor))
    findings.ask(
        pb.ACCESS_RULE_PERMISSION,
        partial(permission.check_permission, access, actor),
        required=access.permission,
        sources=sources,
    )
    if access.min_assurance and actor.kind in permission.ASSURED:
        findings.ask(
            pb.ACCESS_RULE_ASSURANCE,
            partial(permission.check_assurance, access, actor),
            required=str(access.min_assurance),
            actual=str(actor.assurance),
        )


def _judge_mandate(
    access: options_pb2.Access,
    actor: Actor,
    mandate: MandateChain | None,
    item_codes: Sequence[str],
    findings: Findings,
) -> None:
    """Asks what a mandate lets its agent do, where the RPC asks for a power."""
    if mandate is None or not access.power:
        return
    power = _POWERS.name(access.power)

    def covered() -> None:
        permission.check_power(access, actor)
        if item_codes:
            check_item(mandate.mandate.name, mandate.scope, item_codes, MandatePower(power))

    findings.ask(
        pb.ACCESS_RULE_MANDATE_SCOPE,
        covered,
        required=power,
        actual=" ".join(sorted(actor.powers)),
        sources=mandate.names,
    )
