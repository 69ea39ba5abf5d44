"""Codes that a region sends, read where they arrive."""

import asyncio
import re
import time
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from services.identity.config import NotifierSection, Notify
from services.identity.contacts.notifier import FileNotifier, Notification
from services.identity.core.contact_points import ContactKind
from tests.support import sql
from tests.support.held import Papers
from tests.support.patience import PATIENCE
from tests.support.refusing import asked
from tests.support.town import Town, request_id
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import resources_pb2

_CODE = re.compile(r"验证码是 ([0-9]{6})，")


def to_files(folder: Path) -> Notify:
    """The configuration by which everything is written into a folder."""
    section = NotifierSection(folder=folder)
    return Notify(email=section, phone=section)


def phone(number: str) -> resources_pb2.ContactPoint:
    """A phone."""
    return resources_pb2.ContactPoint(phone=number)


def email(address: str) -> resources_pb2.ContactPoint:
    """An e-mail address."""
    return resources_pb2.ContactPoint(email=address)


def code_in(file: Path) -> str:
    """The code that a file holds: a mail, or the text of a message."""
    if file.suffix == ".eml":
        message = message_from_bytes(file.read_bytes(), policy=policy.default)
        body = message.get_body()
        assert body is not None
        text = str(body.get_content())
    else:
        text = file.read_text(encoding="utf-8")
    found = _CODE.search(text)
    assert found is not None
    assert f"Your verification code is {found[1]}." in text
    return found[1]


class FlakyNotifier:
    """A region's own way to send, which fails while a file of the name ``broken`` lies in its folder."""

    def __init__(self, section: NotifierSection) -> None:
        self._folder = Path(section.options["folder"])
        self._files = FileNotifier(self._folder, ContactKind.PHONE)

    async def send(self, notice: Notification) -> None:
        """Writes a file, or fails as no error of ours."""
        if (self._folder / "broken").exists():
            raise ZeroDivisionError
        await self._files.send(notice)

    async def close(self) -> None:
        """There is nothing to close."""


class Reached:
    """How people of a region are reached, and what is sent to them."""

    def __init__(self, town: Town, folder: Path) -> None:
        self.town = town
        self.folder = folder

    async def reach(self, person: str, token: str, *points: resources_pb2.ContactPoint) -> resources_pb2.Person:
        """Sets how a person is reached."""
        etag = (await Papers(self.town).clear(person)).etag
        request: Any = asked("SetContactPoints", person, etag)
        request.ClearField("contact_points")
        request.contact_points.extend(points)
        made = await self.call("SetContactPoints", request, token)
        assert isinstance(made, resources_pb2.Person)
        return made

    def start(self, person: str, point: resources_pb2.ContactPoint) -> Any:
        """Asks for a code."""
        return _about("StartContactVerification", person, point)

    def confirm(self, person: str, point: resources_pb2.ContactPoint, code: str) -> Any:
        """Says a code."""
        return _about("ConfirmContactVerification", person, point, code=code)

    async def call(self, rpc: str, request: Any, token: str) -> Any:
        """Calls an RPC."""
        answers = {
            "SetContactPoints": resources_pb2.Person,
            "StartContactVerification": pb.StartContactVerificationResponse,
            "ConfirmContactVerification": pb.ConfirmContactVerificationResponse,
        }
        return await self.town.call(getattr(self.town.accounts, rpc), request, answers[rpc], token)

    async def code(self, person: str, point: resources_pb2.ContactPoint, token: str) -> str:
        """Asks for a code, and reads it where it arrives."""
        before = set(self.files())
        await self.call("StartContactVerification", self.start(person, point), token)
        (file,) = await self.arrived(before)
        return code_in(file)

    def files(self) -> list[Path]:
        """Everything that was sent."""
        return [each for each in self.folder.glob("*") if each.suffix in (".eml", ".txt")]

    async def arrived(self, before: set[Path]) -> set[Path]:
        """Waits until something is sent."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := set(self.files()) - before:
                return found
            await asyncio.sleep(0.01)
        raise AssertionError("nothing was sent")

    async def later(self, person: str, minutes: int) -> None:
        """Lets time pass for the codes of a person."""
        past = f"interval '{minutes} minutes'"
        async with self.town.service.process.database.transaction() as connection:
            await sql.execute(
                connection,
                f"UPDATE contact_codes SET create_time = create_time - {past}, expire_time = expire_time - {past} "
                f"WHERE person = '{person[8:]}'",
            )


def _about(rpc: str, person: str, point: resources_pb2.ContactPoint, **more: Any) -> Any:
    return getattr(pb, f"{rpc}Request")(name=person, contact_point=point, request_id=request_id(), **more)
