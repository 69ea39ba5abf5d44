"""``tongban trust``: a file is taken only with the fingerprint that the other region has read out, and says nothing else than what waits."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from typer.testing import CliRunner

from deploy.local import region_file, trust_cli
from deploy.local.asking import AskedRegion
from deploy.local.region_file import RegionFile
from deploy.local.state import RegionSnapshot
from libs.crypto.sm3 import sm3
from libs.errors import not_found, reasons
from tests.support.region_files import anchor_of, file_of, listed_as, root_of
from tongban.identity.v1 import resources_pb2 as pb

HERE, THERE = "341500", "320402"
FILE = file_of(THERE)


CODE_KEYS = anchor_of("codes").jwks


def listed(state: pb.RegionState.ValueType = pb.REGION_STATE_PROPOSED, **changes: Any) -> pb.Region:
    """The region of the file, as it stands on the list."""
    return listed_as(FILE.region, state, **changes)


@dataclass
class TrustList:
    """A region's list of one entry, in the place of its gateway."""

    listed: pb.Region | None = None
    changes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def identity(self) -> "TrustList":
        return self

    def get_region(self, *, name: str) -> pb.Region:
        if self.listed is None:
            raise not_found(name)
        return self.listed

    def get_jwks(self) -> pb.JsonWebKeySet:
        return FILE.region.anchor.jwks

    def get_code_keys(self) -> pb.JsonWebKeySet:
        return CODE_KEYS

    def __getattr__(self, rpc: str) -> Callable[..., pb.Region]:
        def change(**asked: Any) -> pb.Region:
            self.changes.append((rpc, asked))
            return asked.get("region", self.listed) or pb.Region()

        return change


@dataclass
class Desk:
    """Where an administrator types."""

    folder: Path
    trust_list: TrustList = field(default_factory=TrustList)

    def types(self, *words: str, file: bytes = FILE.content, says: str = "") -> tuple[int, str]:
        path = self.folder / "there.json"
        path.write_bytes(file)
        result = CliRunner().invoke(trust_cli.app, [words[0], str(path), *words[1:]], input=says)
        return result.exit_code, result.output

    def compared(self, verb: str, file: RegionFile = FILE) -> tuple[int, str]:
        return self.types(verb, "--fingerprint", file.fingerprints["SM3"], file=file.content)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "root.der").write_bytes(root_of(HERE))
    here = RegionSnapshot(HERE, "六安市", "http://127.0.0.1:1", str(tmp_path))
    monkeypatch.setattr(AskedRegion, "here", here)
    monkeypatch.setattr(AskedRegion, "call", lambda _self, work: work(made.trust_list))
    return made


# ---- the file, and what was read out ----


ROOT_DIGEST = hashlib.sha256(FILE.region.anchor.root_certificate).hexdigest()
WRONG = {
    "another file's": file_of(THERE).fingerprints["SM3"],
    "its root's": ROOT_DIGEST,
    "one digit else": ("1" if FILE.fingerprints["SM3"][0] != "1" else "2") + FILE.fingerprints["SM3"][1:],
    "the beginning": FILE.fingerprints["SM3"][:32],
    "one digit less": FILE.fingerprints["SM3"][:-1],
    "one digit more": FILE.fingerprints["SM3"] + "0",
    "words": "yes",
}


@pytest.mark.parametrize("which", WRONG)
@pytest.mark.parametrize("verb", ["propose", "approve"])
def test_another_fingerprint_changes_nothing(desk: Desk, verb: str, which: str) -> None:
    desk.trust_list.listed = listed() if verb == "approve" else None
    code, said = desk.types(verb, "--fingerprint", WRONG[which])
    assert (code, desk.trust_list.changes) == (1, [])
    assert "refused, and nothing was changed: " in said
    assert "fingerprint" in said


OTHERS = {
    "cut short": FILE.content[:-100],
    "another release's": FILE.content.replace(b'"version": 1', b'"version": 2'),
    "no region's": b"{}",
}


@pytest.mark.parametrize("which", OTHERS)
@pytest.mark.parametrize("verb", ["propose", "approve"])
def test_a_file_that_does_not_read_changes_nothing(desk: Desk, verb: str, which: str) -> None:
    desk.trust_list.listed = listed() if verb == "approve" else None
    code, said = desk.types(verb, "--fingerprint", sm3(OTHERS[which]).hex(), file=OTHERS[which])
    assert (code, desk.trust_list.changes) == (1, [])
    assert said.startswith("refused, and nothing was changed: the file ")


@pytest.mark.parametrize("verb", ["propose", "approve"])
def test_a_regions_own_file_is_refused(desk: Desk, verb: str) -> None:
    own_root = (desk.folder / "root" / "root.der").read_bytes()
    for own in (file_of(HERE), file_of("elsewhere", anchor=anchor_of("elsewhere", own_root))):
        code, said = desk.compared(verb, own)
        assert (code, desk.trust_list.changes) == (1, [])
        assert "the file is of this region itself, 341500" in said


# ---- proposing ----


def test_a_region_that_is_compared_is_proposed(desk: Desk) -> None:
    code, said = desk.compared("propose")
    ((rpc, asked),) = desk.trust_list.changes
    assert (code, rpc, asked["region_id"]) == (0, "propose_region", THERE)
    region = asked["region"]
    assert (region.anchor, region.codes) == (FILE.region.anchor, FILE.region.codes)
    assert (region.inbound.max_assurance, region.outbound.max_assurance) == (4, 4)
    assert "常州市天宁区" in said


def test_who_proposes_says_how_far_each_way_counts(desk: Desk) -> None:
    desk.types("propose", "--fingerprint", FILE.fingerprints["SM3"], "--inbound", "2", "--outbound", "3")
    region = desk.trust_list.changes[0][1]["region"]
    assert (region.inbound.max_assurance, region.outbound.max_assurance) == (2, 3)
    # Nothing is said of the grade to a region of before, which does not know the word.
    assert (region.inbound.grade, region.outbound.grade) == (pb.TRUST_GRADE_UNSPECIFIED,) * 2


def test_who_proposes_lets_only_reads_pass(desk: Desk) -> None:
    code, said = desk.types("propose", "--fingerprint", FILE.fingerprints["SM3"], "--reads-only")
    region = desk.trust_list.changes[0][1]["region"]
    assert (code, region.inbound.grade, region.outbound.grade) == (0, *(pb.TRUST_GRADE_READING,) * 2)
    assert said.count("(reads only; all; assurance 0 to 4)") == 2


def test_a_fingerprint_that_is_not_given_is_asked_for_and_never_shown(desk: Desk) -> None:
    code, said = desk.types("propose", says=f"{FILE.fingerprints['SHA-256']}\n")
    assert (code, [rpc for rpc, _ in desk.trust_list.changes]) == (0, ["propose_region"])
    flat = said.replace(" ", "")
    # What was typed is echoed, and that is all.
    assert [flat.count(digits) for digits in FILE.fingerprints.values()] == [0, 1]


@pytest.mark.parametrize("says", ["", "\n", "y\n", "yes\n"])
def test_nothing_is_trusted_on_a_nod(desk: Desk, says: str) -> None:
    code, _ = desk.types("propose", says=says)
    assert (code, desk.trust_list.changes) == (1, [])


def test_new_keys_of_a_listed_region_are_set(desk: Desk) -> None:
    desk.trust_list.listed = listed(pb.REGION_STATE_ACTIVE)
    newer = file_of(THERE)
    assert desk.compared("propose", newer)[0] == 0
    asked = {"name": f"regions/{THERE}", "anchor": newer.region.anchor, "etag": "seen"}
    assert desk.trust_list.changes == [("set_region_keys", asked)]


@pytest.mark.parametrize("terms", [("--inbound", "2"), ("--outbound", "2"), ("--reads-only",)])
def test_new_keys_change_no_terms_and_do_not_take_any_in_silence(desk: Desk, terms: tuple[str, ...]) -> None:
    desk.trust_list.listed, newer = listed(pb.REGION_STATE_ACTIVE), file_of(THERE)
    code, said = desk.types("propose", "--fingerprint", newer.fingerprints["SM3"], *terms, file=newer.content)
    assert (code, desk.trust_list.changes) == (1, [])
    assert "terms" in said


def test_a_region_whose_trust_has_ended_is_proposed_anew(desk: Desk) -> None:
    desk.trust_list.listed = listed(pb.REGION_STATE_ENDED)
    assert desk.compared("propose")[0] == 0
    assert [rpc for rpc, _ in desk.trust_list.changes] == ["propose_region"]


@pytest.mark.parametrize("state", [pb.REGION_STATE_PROPOSED, pb.REGION_STATE_ACTIVE])
def test_what_is_on_the_list_is_not_proposed_again(desk: Desk, state: pb.RegionState.ValueType) -> None:
    desk.trust_list.listed = listed(state)
    code, said = desk.compared("propose")
    assert (code, desk.trust_list.changes) == (1, [])
    assert "already" in said
    newer = file_of(THERE)
    desk.trust_list.listed = listed(state, pending_anchor=newer.region.anchor)
    code, said = desk.compared("propose", newer)
    assert (code, desk.trust_list.changes) == (1, [])
    assert "wait for approval already" in said


# ---- approving ----


def test_a_proposal_that_is_the_files_is_approved_as_it_was_seen(desk: Desk) -> None:
    desk.trust_list.listed = listed()
    assert desk.compared("approve")[0] == 0
    assert desk.trust_list.changes == [("activate_region", {"name": f"regions/{THERE}", "etag": "seen"})]


def test_new_keys_that_are_the_files_are_approved_as_they_were_seen(desk: Desk) -> None:
    newer = file_of(THERE)
    desk.trust_list.listed = listed(pb.REGION_STATE_ACTIVE, pending_anchor=newer.region.anchor)
    assert desk.compared("approve", newer)[0] == 0
    assert desk.trust_list.changes == [("approve_region_keys", {"name": f"regions/{THERE}", "etag": "seen"})]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"display_name": "公安部"}, "display_name"),
        ({"codes": [pb.RegionCode(code="340210")]}, "codes"),
        ({"anchor": pb.RegionAnchor(gateway_url="http://mallory.example")}, "anchor"),
        ({"anchor": pb.RegionAnchor(jwks=anchor_of("mallory").jwks)}, "anchor"),
        ({"anchor": pb.RegionAnchor(tls_authorities=b"x")}, "anchor"),
    ],
)
def test_a_proposal_that_is_not_the_files_is_not_approved(desk: Desk, changes: dict[str, Any], named: str) -> None:
    desk.trust_list.listed = listed(**changes)
    code, said = desk.compared("approve")
    assert (code, desk.trust_list.changes) == (1, [])
    assert f"it differs in: {named}" in said


def test_new_keys_that_are_not_the_files_are_not_approved(desk: Desk) -> None:
    desk.trust_list.listed = listed(pb.REGION_STATE_ACTIVE, pending_anchor=anchor_of("mallory"))
    code, said = desk.compared("approve")
    assert (code, desk.trust_list.changes) == (1, [])
    assert "it differs in: anchor" in said


@pytest.mark.parametrize("state", [None, pb.REGION_STATE_ACTIVE, pb.REGION_STATE_ENDED])
def test_where_nothing_waits_nothing_is_approved(desk: Desk, state: pb.RegionState.ValueType | None) -> None:
    desk.trust_list.listed = None if state is None else listed(state)
    code, said = desk.compared("approve")
    assert (code, desk.trust_list.changes) == (1, [])
    assert "nothing of 320402 waits" in said


# ---- looking ----


def test_a_file_is_shown_with_all_that_can_be_compared(desk: Desk) -> None:
    code, said = desk.types("inspect")
    assert code == 0
    flat = said.replace(" ", "")
    (key,) = FILE.region.anchor.jwks.keys
    told = json.dumps({"crv": "P-256", "kty": "EC", "x": key.x, "y": key.y}, separators=(",", ":"))
    rfc7638 = base64.urlsafe_b64encode(hashlib.sha256(told.encode()).digest()).decode().rstrip("=")
    for shown in (*FILE.fingerprints.values(), ROOT_DIGEST, rfc7638, "http://320402.example:8080", "常州市天宁区"):
        assert shown in flat, shown


@dataclass
class Published:
    """What a gateway says of its token keys; None where it doesn't answer."""

    keys: pb.JsonWebKeySet | None
    asked: list[tuple[str, bytes | None]] = field(default_factory=list)

    def __call__(self, url: str, *, roots: bytes | None) -> "Published":
        self.asked.append((url, roots))
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    @property
    def identity(self) -> "Published":
        return self

    def get_jwks(self) -> pb.JsonWebKeySet:
        if self.keys is None:
            raise reasons.dependency_unavailable("away", dependency="the gateway")
        return self.keys


@pytest.mark.parametrize(
    ("keys", "says", "ends"),
    [
        (FILE.region.anchor.jwks, "http://320402.example:8080 has these token keys now", 0),
        (anchor_of(THERE).jwks, "has other token keys now: ask 320402 for a new file", 1),
        (
            pb.JsonWebKeySet(keys=[*FILE.region.anchor.jwks.keys, *anchor_of(THERE).jwks.keys]),
            "has other token keys",
            1,
        ),
        (pb.JsonWebKeySet(), "has other token keys now", 1),
        (None, "does not say which token keys it has: DEPENDENCY_UNAVAILABLE", 1),
    ],
)
def test_a_gateway_is_asked_whether_a_file_has_grown_old(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, keys: pb.JsonWebKeySet | None, says: str, ends: int
) -> None:
    gateway = Published(keys)
    monkeypatch.setattr(trust_cli, "Tongban", gateway)
    code, said = desk.types("inspect", "--ask")
    assert (code, says in said) == (ends, True), said
    assert gateway.asked == [("http://320402.example:8080", None)]


def test_a_gateway_is_asked_under_the_authorities_that_its_file_names(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchor = anchor_of(THERE)
    anchor.tls_authorities = b"PEM"
    gateway = Published(anchor.jwks)
    monkeypatch.setattr(trust_cli, "Tongban", gateway)
    desk.types("inspect", "--ask", file=file_of(THERE, anchor=anchor).content)
    assert gateway.asked == [("http://320402.example:8080", b"PEM")]


@pytest.mark.parametrize("public", ["", "http://127.0.0.1:1", "https://liuan.example"])
def test_a_region_shows_itself_and_what_is_read_out(desk: Desk, monkeypatch: pytest.MonkeyPatch, public: str) -> None:
    here = RegionSnapshot(HERE, "六安市", "http://127.0.0.1:1", str(desk.folder), public)
    monkeypatch.setattr(AskedRegion, "here", here)
    found = httpx.Response(200, json={"issuer": "https://issuer"}, request=httpx.Request("GET", "http://127.0.0.1:1"))
    monkeypatch.setattr(httpx, "get", lambda _url, **_options: found)
    authorities, more = desk.folder / "authorities.pem", ["--code-keys"] if public else []
    authorities.write_bytes(b"PEM")
    result = CliRunner().invoke(trust_cli.app, ["show", "--tls-authorities", str(authorities), *more])
    made = region_file.read(result.stdout_bytes)
    anchor = made.region.anchor
    assert (made.id, made.region.display_name, [each.code for each in made.region.codes]) == (HERE, "六安市", [HERE])
    assert (anchor.gateway_url, anchor.issuer) == (public or "http://127.0.0.1:1", "https://issuer")
    assert (anchor.jwks, anchor.tls_authorities) == (FILE.region.anchor.jwks, b"PEM")
    assert anchor.root_certificate == (desk.folder / "root" / "root.der").read_bytes()
    # A region of 0.2.0 reads no file that has them.
    assert list(anchor.code_keys.keys) == (list(CODE_KEYS.keys) if public else [])
    assert sum("code key" in line for line in trust_cli._described(made)) == len(anchor.code_keys.keys)
    flat = result.stderr.replace(" ", "")
    assert all(f"{name}{digits}\n" in flat for name, digits in made.fingerprints.items())
    assert ("only this machine reaches" in result.stderr) == ("liuan" not in public)
