"""Two regions of two provinces for all system tests: started once, reached through their gateways only.

天宁, which handles the cases, has two replicas of every service; 六安 has one.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.launch import Cluster
from deploy.local.own_settings import FILE
from deploy.local.regions import TIANNING
from tests.support.lost_passwords import LOST_PASSWORDS, digest_of_password
from tests.support.partner_certificates import PartnersDoor
from tests.support.ports import free_port
from tests.support.regions import OPENING, REPLICAS, Regions, open_both, set_clocks
from tests.support.verifier_server import VerifierServer, verifier_server
from tests.support.webhook_partner import RECEIVERS_HERE


@pytest.fixture(scope="session")
def replicas() -> dict[str, int]:
    """How many of each service a region has, by its code."""
    return {TIANNING.code: REPLICAS}


@pytest.fixture(scope="session")
def verifier() -> Iterator[VerifierServer]:
    """Who recognises faces for both regions, and knows bank accounts."""
    with verifier_server() as found:
        yield found


@pytest.fixture(scope="session")
def partners_door(tmp_path_factory: pytest.TempPathFactory) -> PartnersDoor:
    """天宁's listener for partners who come with certificates."""
    return PartnersDoor.made(tmp_path_factory.mktemp("partners"), free_port())


@pytest.fixture(scope="session")
def running_cluster(
    tmp_path_factory: pytest.TempPathFactory,
    replicas: dict[str, int],
    verifier: VerifierServer,
    partners_door: PartnersDoor,
) -> Iterator[tuple[Path, Cluster]]:
    """Both regions' processes."""
    folder = tmp_path_factory.mktemp("regions")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # PostgreSQL runs as another user where the tests run as root
    state = folder / "state"
    state.mkdir(mode=0o755)
    checks = "".join(
        f'[services.identity.verifiers.{each}]\nurl = "{verifier.url}"\n' for each in ("face", "bank_card")
    )
    lost = folder / "lost-passwords.txt"
    lost.write_text(
        "".join(f"{each}:3\n" for each in sorted(map(digest_of_password, LOST_PASSWORDS))), encoding="ascii"
    )
    passwords = f'[services.identity]\nbreached_passwords_file = "{lost}"\n'
    door = partners_door.settings(TIANNING.id)
    (state / FILE).write_text(f"{passwords}\n{RECEIVERS_HERE}\n{checks}\n{door}", encoding="utf-8")
    with Cluster(state, (free_port(), free_port()), replicas=replicas, replay=True) as cluster:
        yield state, cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def regions(running_cluster: tuple[Path, Cluster]) -> AsyncIterator[Regions]:
    """Both regions, set up."""
    state, cluster = running_cluster
    set_clocks(state, OPENING)
    found = await open_both(state, cluster)
    yield found
    await found.close()
