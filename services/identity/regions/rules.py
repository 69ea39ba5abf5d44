"""What may change in an entry of the trust list while it waits for a second human being."""

from services.identity.core.trust import NOTHING, RegionState, TrustDirection, open_ways, suspend


def suspended(name: str, state: RegionState, resuming: str, direction: TrustDirection) -> RegionState:
    """Returns the state after closing ``direction``.

    Where it is closed already, but somebody wants to open it again (``resuming``), that wish is refused and the state stays.

    Raises:
        FailedPrecondition: STATE_CONFLICT where nothing of it is open, and nobody wants it to be.
    """
    waits = TrustDirection[resuming] if resuming else NOTHING
    if waits & direction and not open_ways(state) & direction:
        return state
    return suspend(name, state, direction)
