"""Keys that are gone while what they open is still there: a start would make others in their place, which open nothing."""

from collections.abc import Iterator
from pathlib import Path

from deploy.local.regions import SERVICES
from deploy.pki.region_root import ROOT_FILE


class KeysLost(Exception):
    """A region can't start for want of a key; the message names each file and what to do."""


def lost_keys(region: Path) -> list[Path]:
    """Returns the files of keys that a region's folder lacks although what they open lies there."""
    return [key for key, opens in _locks(region) if not key.exists() and any(_files(opens))]


def require_keys(region: Path) -> None:
    """Raises KeysLost where a start would make a key anew that others of the region were made with."""
    if lost := lost_keys(region):
        lines = (f"{path} is gone, and no other opens what it opened: put it back from the copy" for path in lost)
        raise KeysLost("\n".join((*lines, "docs/runbooks/key-lost.md says more; nothing was changed")))


def _locks(region: Path) -> Iterator[tuple[Path, Path]]:
    """Each key that can't be made anew, and the folder of what it opens."""
    secrets = region / "secrets"
    yield secrets / "postgres.password", region / "postgres"
    # Events wait in the databases and in Redis; an empty region has neither.
    yield secrets / "events.key", region / "postgres"
    yield region / "root" / "master.key", region / "root" / "keys"
    yield region / "root" / ROOT_FILE, region / "keys" / "seal"
    for service in SERVICES:
        yield secrets / f"{service}.master-key", region / "keys" / service


def _files(folder: Path) -> Iterator[Path]:
    """What lies in a folder. PostgreSQL's, which may be another user's, counts by being there."""
    try:
        yield from folder.iterdir()
    except FileNotFoundError:
        return
    except PermissionError:
        yield folder
