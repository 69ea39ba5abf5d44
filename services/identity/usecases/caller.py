"""Who asks: a person, by themselves or at a window; staff in office; a machine."""

from libs.security.principal import Principal


def person_of(principal: Principal) -> str:
    """Returns the person whom the token speaks of, of another region with ``//<region>/``; empty where it is none."""
    subject = principal.subject
    local = subject.split("/", 3)[-1] if subject.startswith("//") else subject
    return subject if local.startswith("persons/") else ""


def staff_of(principal: Principal) -> str:
    """Returns the member of staff who acts, in office or at a window for a person; empty where it is none."""
    return next((name for name in (principal.actor, principal.subject) if name.startswith("staff/")), "")


def local_name(name: str, region: str) -> str:
    """Returns a resource name as this region writes it: its own without ``//<region>/``."""
    return name.removeprefix(f"//{region}/")


def region_of(name: str) -> str:
    """Returns the code of the region that a foreign name belongs to; empty for a name of our own."""
    return name[2:8] if name.startswith("//") else ""
