"""The contract is the registry of events: each type has one message and an audience, and what others are told names nobody's data."""

import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

from tests.support import contracts, events_told
from tongban.options.v1 import options_pb2

_ROOT = Path(__file__).resolve().parents[2]
_TYPE = re.compile(r"cn\.tongban\.([a-z]+)\.([a-z]+(?:_[a-z]+)*)\.([a-z]+(?:_[a-z]+)*)\.v1")


def test_each_type_has_one_message_and_its_name_and_an_audience() -> None:
    events = events_told.declared()
    assert [event.type for event in events if not _TYPE.fullmatch(event.type)] == []
    assert [kind for kind, count in Counter(event.type for event in events).items() if count > 1] == []
    words = {e.name: "".join(word.title() for word in re.split(r"[._]", e.type)[3:-1]) for e in events}
    assert [f"{name}: {word}" for name, word in words.items() if name != word] == []
    assert [event.name for event in events if not event.audience] == []
    assert [event.name for event in events if not str(event.message.file.name).endswith("/events.proto")] == []


def test_what_is_emitted_has_a_message() -> None:
    emitted = {
        kind
        for method in contracts.methods()
        for kind in method.descriptor.GetOptions().Extensions[options_pb2.rpc].emits
    }
    assert emitted - {event.type for event in events_told.declared()} == set()
    assert emitted, "some RPC emits something"


def test_what_says_too_much_is_seen() -> None:
    """The walk finds what the events had when all of them were told to everybody."""
    found = events_told.says_too_much(contracts.find_message("tongban.cases.v1.CaseLicenseOrdered"))
    assert {"CaseLicenseOrdered.holders.display_name", "CaseLicenseOrdered.holders.document.number"} <= set(found)
    assert "Decision.reason" in events_told.says_too_much(contracts.find_message("tongban.cases.v1.Decision"))


def test_published_words_are_marked_in_events_only_where_a_catalogue_says_them() -> None:
    """Each such field stands here by name: whoever adds one says it in a review."""
    marked = {
        str(field.full_name).removeprefix("tongban.")
        for event in events_told.public()
        for _, field in events_told.fields(event.message)
        if field.GetOptions().Extensions[options_pb2.field].published
    }
    assert marked == {
        "cases.v1.CaseSummary.category",
        "cases.v1.CaseSummary.item_display_name",
        "cases.v1.CaseSummary.legal_basis",
        "cases.v1.ServiceItemPublished.display_name",
        "license.v1.LicenseIssued.type_display_name",
        "license.v1.LicenseTypePublished.display_name",
        "sharing.v1.DataResourcePublished.title",
    }


def test_who_follows_a_thing_holds_the_permission_of_its_get() -> None:
    files = [*_ROOT.glob("services/*/app.py"), *_ROOT.glob("services/*/*/followed.py")]
    named = {each for file in files for each in re.findall(r'Followed\("([^"]+)"', file.read_text(encoding="utf-8"))}
    gets = [method for method in contracts.methods() if str(method.descriptor.name).startswith("Get")]
    assert named <= {contracts.access_of(method).permission for method in gets}
    assert len(named) > 5


def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("events_page", _ROOT / "proto" / "events_page.py")
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker


def test_the_page_is_made_from_the_contract() -> None:
    maker = _maker()
    image = (_ROOT / "proto" / "gen" / "tongban.binpb").read_bytes()
    assert maker.PAGE.read_text(encoding="utf-8") == maker.rendered(image), "./run proto writes it anew"
