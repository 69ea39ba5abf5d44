"""How words reach people: files for a first start, SMTP, and whatever a region brings along (an SMS gateway).

``[notify.email]`` and ``[notify.phone]`` of the configuration say which. A notifier of the region's own is named by ``plugin``,
``package.module:function``: the function takes the section and returns what has :meth:`Notifier.send` and :meth:`Notifier.close`.
"""

import asyncio
import importlib
import os
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Protocol, cast

from libs.errors import Unavailable, reasons
from services.identity.config import NotifierSection, Notify
from services.identity.core.contact_points import ContactKind

_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Notification:
    """What is sent to whom. The ``id`` is the same however often it is tried; a notifier may know a repeat by it."""

    id: str
    target: str
    subject: str
    text: str


class Notifier(Protocol):
    """Sends notices of one kind."""

    async def send(self, notice: Notification) -> None:
        """Sends a notice; raises Unavailable DEPENDENCY_UNAVAILABLE where that can't be done now."""
        ...

    async def close(self) -> None:
        """Lets go of what it holds."""
        ...


def _away(error: Exception) -> Unavailable:
    made = reasons.dependency_unavailable("it can't be sent now", retry_after=15.0, dependency="notifier")
    made.__cause__ = error
    return made


class FileNotifier:
    """Writes each notice into a file of a folder, for a first start and for tests: nothing leaves the machine."""

    def __init__(self, folder: Path, kind: ContactKind) -> None:
        self._folder = folder
        self._kind = kind

    async def send(self, notice: Notification) -> None:
        """Writes the file; one that is there already is written anew."""
        try:
            await asyncio.to_thread(self._write, notice)
        except OSError as error:
            raise _away(error) from error

    def _write(self, notice: Notification) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        by_mail = self._kind is ContactKind.EMAIL
        content = mail(notice, "").as_bytes() if by_mail else f"{notice.target}\n{notice.text}".encode()
        file = self._folder / f"{notice.id}.{'eml' if by_mail else 'txt'}"
        half = file.with_suffix(".part")
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "wb") as stream:
            stream.write(content)
        half.replace(file)

    async def close(self) -> None:
        """There is nothing to close."""


class SmtpNotifier:
    """Hands mails to an SMTP server (RFC 5321), one connection each."""

    def __init__(self, section: NotifierSection) -> None:
        self._section = section
        self._password = section.password_file.read_text("utf-8").strip() if section.password_file else ""

    async def send(self, notice: Notification) -> None:
        """Sends a mail."""
        try:
            await asyncio.to_thread(self._hand_over, mail(notice, self._section.sender))
        except (OSError, smtplib.SMTPException) as error:
            raise _away(error) from error

    def _hand_over(self, message: EmailMessage) -> None:
        with self._connected() as server:
            if self._section.security == "starttls":
                server.starttls(context=self._context())
            if self._section.username:
                server.login(self._section.username, self._password)
            server.send_message(message)

    def _connected(self) -> smtplib.SMTP:
        where, seconds = (self._section.host, self._section.port), self._section.seconds
        if self._section.security == "tls":
            return smtplib.SMTP_SSL(*where, timeout=seconds, context=self._context())
        return smtplib.SMTP(*where, timeout=seconds)

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self._section.ca_file) if self._section.ca_file else None)

    async def close(self) -> None:
        """There is nothing to close."""


def mail(notice: Notification, sender: str) -> EmailMessage:
    """Returns a notice as a mail (RFC 5322); its id is the notice's, so that who gets it twice can tell."""
    message = EmailMessage(policy=SMTP)
    message["Subject"] = notice.subject
    message["To"] = notice.target
    if sender:
        message["From"] = sender
        message["Message-ID"] = f"<{notice.id}@{sender.rpartition('@')[2]}>"
    # What answers mails by itself leaves this one be (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.text)
    return message


def notifiers_of(notify: Notify) -> dict[ContactKind, Notifier]:
    """Returns the notifiers that are configured, by what they reach; raises ValueError for a section that names none."""
    sections = {ContactKind.EMAIL: notify.email, ContactKind.PHONE: notify.phone}
    return {kind: _notifier_of(section, kind) for kind, section in sections.items() if section is not None}


def _notifier_of(section: NotifierSection, kind: ContactKind) -> Notifier:
    if section.plugin:
        module, _, function = section.plugin.partition(":")
        make = cast("Callable[[NotifierSection], Notifier]", getattr(importlib.import_module(module), function))
        return make(section)
    if section.host and section.sender and kind is ContactKind.EMAIL:
        return SmtpNotifier(section)
    if section.folder is not None and not section.host:
        return FileNotifier(section.folder, kind)
    raise ValueError(f"[notify.{kind.lower()}] names neither a folder nor a plugin, nor an SMTP server with its sender")
