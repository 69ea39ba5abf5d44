"""The answer of a public verification as a message."""

from libs.rpc.messages import Names, date_message, timestamp
from services.license.verification.rules import Disclosure, PublicFacts
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import verification_service_pb2 as pb

_STANDINGS, _OUTCOMES, _FIELDS = Names(pb.Standing), Names(pb.SealOutcome), Names(pb.ComparedField)


def verification_message(told: Disclosure, region: str) -> pb.VerifyLicenseResponse:
    """Builds the answer; times and what is said of a copy are the caller's."""
    answer = pb.VerifyLicenseResponse(
        standing=_STANDINGS.number(told.standing.value),
        seal_outcome=_OUTCOMES.number(told.seal_outcome.value),
        region=region,
        organization_names=told.organization_names,
        comparisons=[
            pb.Comparison(field=_FIELDS.number(field.value), matched=matched) for field, matched in told.comparisons
        ],
    )
    if told.public is not None:
        answer.MergeFrom(_public(told.public))
    return answer


def _public(facts: PublicFacts) -> pb.VerifyLicenseResponse:
    validity = resources.Validity(
        start_date=date_message(facts.validity.start), end_date=date_message(facts.validity.end)
    )
    return pb.VerifyLicenseResponse(
        identifier=facts.identifier,
        type_display_name=facts.type_display_name,
        issuer_display_name=facts.issuer_display_name,
        version=facts.version,
        validity=validity,
        issue_date=date_message(facts.issue_date),
        state_time=timestamp(facts.state_time),
    )
