"""How codes leave: by SMTP to a server that is not ours, by a region's own notifier, again where it failed, and never too late."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP

from libs.errors import Unavailable
from services.identity.app import signing_keys
from services.identity.config import NotifierSection, Notify
from services.identity.contacts.notifier import Notification, notifiers_of
from services.identity.contacts.worker import CodeSender
from services.identity.core.contact_points import ContactKind
from services.identity.core.parts import parts_of
from tests.support import sql
from tests.support.backends import HOST, free_port
from tests.support.contact_codes import Reached, code_in, phone
from tests.support.patience import PATIENCE
from tests.support.service import Ground
from tests.support.town import request_id, town
from tongban.identity.v1 import resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOTICE = Notification(
    "00000000-0000-7000-8000-000000000001", "li@example.com", "六安市：验证码", "您的验证码是 012345。\n"
)


class _Mailbox:
    """What an SMTP server took."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.taken.append(envelope)
        return "250 OK"


@asynccontextmanager
async def _served(box: _Mailbox, port: int) -> AsyncIterator[None]:
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box, hostname="mail.test"), HOST, port)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


def _by_mail(port: int) -> NotifierSection:
    return NotifierSection(host=HOST, port=port, security="none", sender="noreply@liuan.example", seconds=5)


async def test_a_mail_reaches_a_server_that_is_not_ours() -> None:
    box, port = _Mailbox(), free_port()
    notifier = notifiers_of(Notify(email=_by_mail(port)))[ContactKind.EMAIL]
    with pytest.raises(Unavailable) as away:
        await notifier.send(NOTICE)
    assert away.value.reason == "DEPENDENCY_UNAVAILABLE"
    async with _served(box, port):
        await notifier.send(NOTICE)
    await notifier.close()
    (envelope,) = box.taken
    assert envelope.mail_from == "noreply@liuan.example"
    assert envelope.rcpt_tos == ["li@example.com"]
    message = message_from_bytes(envelope.content, policy=policy.default)
    assert message["Subject"] == NOTICE.subject
    assert message["Message-ID"] == f"<{NOTICE.id}@liuan.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().replace("\r\n", "\n") == NOTICE.text


async def test_a_server_that_offers_no_tls_gets_no_code() -> None:
    """A code is not handed over in clear where the configuration asks for TLS."""
    box, port = _Mailbox(), free_port()
    section = _by_mail(port).model_copy(update={"security": "starttls"})
    async with _served(box, port):
        with pytest.raises(Unavailable):
            await notifiers_of(Notify(email=section))[ContactKind.EMAIL].send(NOTICE)
    assert box.taken == []


async def test_what_is_configured_sends_and_nothing_else(tmp_path: Path) -> None:
    assert notifiers_of(Notify()) == {}
    assert set(notifiers_of(Notify(phone=NotifierSection(folder=tmp_path)))) == {ContactKind.PHONE}
    for wrong in (Notify(email=NotifierSection()), Notify(phone=_by_mail(25)), Notify(email=NotifierSection(host="a"))):
        with pytest.raises(ValueError, match=r"\[notify\."):
            notifiers_of(wrong)


async def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "sent"
    notifiers = notifiers_of(Notify(email=NotifierSection(folder=folder), phone=NotifierSection(folder=folder)))
    for each in notifiers.values():
        await each.send(NOTICE)
        await each.send(NOTICE)
    files = sorted(folder.iterdir())
    assert [file.suffix for file in files] == [".eml", ".txt"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    (folder / "sent").touch()
    with pytest.raises(Unavailable):
        await notifiers_of(Notify(phone=NotifierSection(folder=folder / "sent")))[ContactKind.PHONE].send(NOTICE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def flaky(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Reached]:
    """A region whose own notifier fails at times."""
    folder = tmp_path_factory.mktemp("flaky")
    section = NotifierSection(plugin="tests.support.contact_codes:FlakyNotifier", options={"folder": str(folder)})
    async with town(ground, folder, notify=Notify(phone=section)) as found:
        await found.settle(("receiving", resources_pb2.DUTY_RECEIVING))
        yield Reached(found, folder)


def _sender(flaky: Reached) -> CodeSender:
    """Another replica."""
    process: Any = flaky.town.service.process
    parts = parts_of(process, process.config, signing_keys(process))
    return CodeSender(parts, "六安市", notifiers_of(process.config.notify))


async def _asked(flaky: Reached) -> tuple[str, resources_pb2.ContactPoint, str]:
    """Somebody who asked for a code."""
    number, person = phone(f"139{int(request_id()[:8], 16) % 10**8:08d}"), await flaky.town.person()
    own = await flaky.town.human_token(person)
    await flaky.reach(person, own, number)
    await flaky.call("StartContactVerification", flaky.start(person, number), own)
    return person, number, own


async def _set(flaky: Reached, person: str, change: str) -> None:
    async with flaky.town.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE contact_codes SET {change} WHERE person = '{person[8:]}'")


async def _tried(flaky: Reached, person: str) -> None:
    """Waits until the region has tried to send, and noted what came of it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        async with flaky.town.service.process.database.read() as connection:
            found = await sql.scalars(connection, f"SELECT version FROM contact_codes WHERE person = '{person[8:]}'")
        if found == [2]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody tried")


async def test_what_could_not_be_sent_is_sent_later(flaky: Reached) -> None:
    broken = flaky.folder / "broken"
    broken.touch()
    person, number, own = await _asked(flaky)
    await _tried(flaky, person)
    assert flaky.files() == []
    broken.unlink()
    # Not at once: whoever could not be reached is given some time.
    await _sender(flaky).send_all()
    assert flaky.files() == []
    await _set(flaky, person, "attempt_time = create_time")
    await _sender(flaky).send_all()
    (file,) = await flaky.arrived(set())
    answer = await flaky.call("ConfirmContactVerification", flaky.confirm(person, number, code_in(file)), own)
    assert answer.confirmed


async def test_a_sender_that_dies_before_it_noted_that_it_sent_sends_the_same_once_more(flaky: Reached) -> None:
    before = set(flaky.files())
    person, _, _ = await _asked(flaky)
    (file,) = await flaky.arrived(before)
    code = code_in(file)
    await _tried(flaky, person)
    file.unlink()
    await _sender(flaky).send_all()
    assert not file.exists()
    await _set(flaky, person, "send_time = NULL, attempt_time = create_time")
    await _sender(flaky).send_all()
    assert await flaky.arrived(before) == {file}
    assert code_in(file) == code


async def test_what_is_good_no_more_is_not_sent(flaky: Reached) -> None:
    broken = flaky.folder / "broken"
    broken.touch()
    before = set(flaky.files())
    late, _, _ = await _asked(flaky)
    replaced, _, own = await _asked(flaky)
    for each in (late, replaced):
        await _tried(flaky, each)
    await flaky.later(late, 5)
    await flaky.reach(replaced, own)
    broken.unlink()
    for each in (late, replaced):
        await _set(flaky, each, "attempt_time = create_time")
    await _sender(flaky).send_all()
    assert set(flaky.files()) == before
