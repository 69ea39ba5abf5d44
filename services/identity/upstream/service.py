"""What other features have of identity providers: sending people there, and taking them in again."""

from services.identity.upstream.links import UpstreamVisit
from services.identity.upstream.remote import Providers, UpstreamAway
from services.identity.upstream.visiting import AskedSignIn, Back, Unlinked, Visits

__all__ = ["AskedSignIn", "Back", "Providers", "Unlinked", "UpstreamAway", "UpstreamVisit", "Visits"]
