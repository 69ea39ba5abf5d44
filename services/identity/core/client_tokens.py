"""A token with which the region asks in a client's name: never for more than the client may itself now."""

from services.identity.core import issue
from services.identity.core.client_rules import Client, check_environment
from services.identity.core.parts import Parts


def token_of(parts: Parts, client: Client) -> str:
    """Makes a token for what is asked in the client's name; it stays within the region.

    Raises:
        PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_EXPIRED, CLIENT_WRONG_ENVIRONMENT.
    """
    check_environment(client, parts.environment)
    return parts.codec.encode(issue.in_name_of(parts.codec.issue(), client))
