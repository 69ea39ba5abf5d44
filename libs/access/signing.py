"""Clients that sign each of their requests (claim `signs`): what comes through the gateway unsigned is refused."""

from libs.errors import reasons


def require(client: str, signer: str, *, signs: bool) -> None:
    """Raises PermissionDenied SIGNATURE_REQUIRED where the client signs its requests and this one was not signed by it.

    Args:
        client: the client that the token came through, by its id.
        signer: the client that signed the request; empty where none did.
        signs: whether the client signs its requests, as its token says.
    """
    if signs and signer != client:
        raise reasons.signature_required("the client must sign this request", client=f"clients/{client}")
