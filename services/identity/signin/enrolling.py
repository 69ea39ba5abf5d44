"""Setting what one signs in with, at a page of ours that is opened once: a password, one-time codes, a passkey, a certificate."""

from dataclasses import dataclass, replace

from libs.crypto.sm3 import sm3
from libs.db.uow import Transaction
from libs.errors import NotFound
from libs.ids.documents import CITIZEN_ID
from libs.ids.uuid7 import uuid7
from services.identity.core.accounts import active_person, document_index, person_by_document
from services.identity.core.masking import mask_name
from services.identity.core.parts import Parts
from services.identity.signin import passkeys, rules, store
from services.identity.signin.by_certificate import CertificateJudge
from services.identity.signin.certificates import CertificateRefused
from services.identity.signin.one_time_codes import setup_uri, step_of
from services.identity.signin.opening import digest, page_command
from services.identity.signin.passkeys import PasskeyKey, PasskeyRefused, relying_party
from services.identity.signin.passwords import BreachedPasswords, Passwords
from services.identity.signin.rules import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    Authenticator,
    AuthenticatorKind,
    AuthenticatorState,
    EnrollmentRow,
    PasswordFault,
    normal_password,
    passkey_name,
    password_fault,
)
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import sign_in_service_pb2 as pb


class EnrollmentOver(Exception):
    """The page was used, its time is over, or there never was one."""


@dataclass(frozen=True, slots=True)
class CodeSetup:
    """What an application takes up: the secret for who types it, and the address that a QR code holds."""

    secret: str
    uri: str


class Enrollments:
    """Takes what people set at opened pages.

    Attributes:
        password_lengths: the shortest and the longest password that is taken.
    """

    password_lengths = (SHORTEST_PASSWORD, LONGEST_PASSWORD)

    def __init__(
        self, parts: Parts, passwords: Passwords, breached: BreachedPasswords, certificates: CertificateJudge
    ) -> None:
        self._parts = parts
        self._certificates = certificates
        self._passwords = passwords
        self._breached = breached

    async def opened(self, ticket: str, *kinds: AuthenticatorKind) -> EnrollmentRow:
        """Returns the page that an address opens, of one of ``kinds`` where some are said; raises EnrollmentOver."""
        async with self._parts.database.read() as connection:
            found = await store.enrollment(connection, digest(ticket))
        if found is None or found.used_time is not None or found.expire_time <= self._parts.wall.now():
            raise EnrollmentOver
        if kinds and found.kind not in kinds:
            raise EnrollmentOver
        return found

    async def set_password(self, ticket: str, typed: str, again: str) -> PasswordFault | None:
        """Sets a password at an opened page, and uses that up; returns why it is not taken, or None. Raises EnrollmentOver."""
        opened = await self.opened(ticket, AuthenticatorKind.PASSWORD)
        password = normal_password(typed)
        fault = await self._fault(opened.person, password)
        if password != normal_password(again):
            fault = PasswordFault.DIFFERENT
        if fault is None:
            await self._keep(ticket, self._set(opened, await self._passwords.hashed(password)))
        return fault

    def code_setup(self, opened: EnrollmentRow, region: str) -> CodeSetup:
        """Returns what a page shows by which an application takes up the secret of one-time codes."""
        secret = self._secret(opened)
        return CodeSetup(secret, setup_uri(secret, region, _tail(opened)))

    async def set_code(self, ticket: str, typed: str) -> bool:
        """Sets one-time codes at an opened page, where the first code is right, and uses the page up; raises EnrollmentOver."""
        opened = await self.opened(ticket, AuthenticatorKind.ONE_TIME_CODE)
        secret = self._secret(opened)
        step = step_of(secret, typed, self._parts.wall.now())
        if step is None:
            return False
        await self._keep(ticket, replace(self._set(opened, secret), used_step=step))
        return True

    async def passkey_options(self, opened: EnrollmentRow, region: str) -> str:
        """Returns as JSON what the browser at a page is to make; raises EnrollmentOver where no passkeys are offered any more."""
        party = relying_party(self._parts.base_url)
        if party is None:
            raise EnrollmentOver
        async with self._parts.database.read() as connection:
            person = await active_person(connection, opened.person)
            rows = await store.passkeys_of(connection, opened.person)
        held = [self._key(row) for row in rows]
        label = f"{mask_name(person.clear_name(self._parts.cipher))} {_tail(opened)}"
        return passkeys.options_to_make(party, region, opened.person, label, self._secret(opened), held)

    async def set_passkey(self, ticket: str, answer: str, named: str) -> bool:
        """Adds the passkey that a browser made at an opened page, and uses that up; False where it is none. Raises EnrollmentOver."""
        opened = await self.opened(ticket, AuthenticatorKind.PASSKEY)
        party = relying_party(self._parts.base_url)
        if party is None:
            raise EnrollmentOver
        try:
            made = passkeys.made(answer, self._secret(opened), party)
        except PasskeyRefused:
            return False
        row = self._set(opened, made.key.text())
        called = self._parts.cipher.encrypt_text(store.DISPLAY_NAME, row.id, passkey_name(named) or _tail(opened))
        added = replace(row, credential=sm3(made.key.credential_id), sign_count=made.sign_count, display_name=called)
        return await self._keep(ticket, added)

    def certificate_text(self, opened: EnrollmentRow) -> str:
        """Returns what the device of who sets a certificate is to sign."""
        return self._certificates.text_to_set(self._secret(opened))

    async def set_certificate(self, ticket: str, answer: str) -> bool:
        """Sets the certificate that signed what an opened page asked for, and uses that up.

        Returns:
            Whether it is taken: not where it is another account's, or names the number of somebody else's identity card.

        Raises:
            EnrollmentOver, SignInNotJudged.
        """
        opened = await self.opened(ticket, AuthenticatorKind.CERTIFICATE)
        try:
            said = await self._certificates.set_by(answer, self._secret(opened))
        except CertificateRefused:
            return False
        number, certificate = said.resident_number, said.certificate
        if number and not await self._is_theirs(opened.person, number):
            return False
        row = self._set(opened, certificate.pem.decode())
        vouched = rules.vouched(self._certificates.believed, opened.assurance, named=bool(number))
        called = self._parts.cipher.encrypt_text(store.DISPLAY_NAME, row.id, certificate.issuer)
        made = replace(row, assurance=vouched, credential=said.key, display_name=called)
        return await self._keep(ticket, replace(made, expire_time=certificate.not_after))

    async def _is_theirs(self, person: str, number: str) -> bool:
        """Says whether an identity card's number is that of an account."""
        index = document_index(self._parts.cipher, CITIZEN_ID, number)
        async with self._parts.database.read() as connection:
            try:
                return (await person_by_document(connection, index)).name == person
            except NotFound:
                return False

    def _key(self, row: Authenticator) -> PasskeyKey:
        return PasskeyKey.of_text(self._parts.cipher.decrypt_text(store.VERIFIER, row.id, row.verifier))

    def _secret(self, opened: EnrollmentRow) -> str:
        return self._parts.cipher.decrypt_text(store.SECRET, opened.id, opened.secret)

    async def _fault(self, person: str, password: str) -> PasswordFault | None:
        async with self._parts.database.read() as connection:
            row = await active_person(connection, person)
        cipher = self._parts.cipher
        known = (row.clear_name(cipher), row.clear_number(cipher), row.clear_phone(cipher))
        fault = password_fault(password, known)
        if fault is None and await self._breached.hold(password):
            return PasswordFault.BREACHED
        return fault

    def _set(self, opened: EnrollmentRow, checked_by: str) -> Authenticator:
        identifier, now = uuid7(), self._parts.wall.now()
        verifier = self._parts.cipher.encrypt_text(store.VERIFIER, identifier, checked_by)
        return Authenticator(identifier, opened.person, opened.kind, verifier, opened.assurance, now, now)

    async def _keep(self, ticket: str, made: Authenticator) -> bool:
        """Keeps what was set, in place of the one before where there is one of a kind; False where it is somebody's already."""
        now = self._parts.wall.now()

        async def work(tx: Transaction) -> bool:
            await active_person(tx.connection, made.person, lock=True)
            if made.credential and await self._is_held(tx, made):
                return False
            if await store.use_enrollment(tx.connection, digest(ticket), now) is None:
                raise EnrollmentOver
            if made.kind is not AuthenticatorKind.PASSKEY:
                await self._supersede(tx, made)
            await store.ADD_AUTHENTICATOR.add(tx.connection, made)
            kind = pb.AuthenticatorKind.Value(f"AUTHENTICATOR_KIND_{made.kind}")
            tx.emit(made.name, events.AuthenticatorAdded(authenticator=made.name, person=made.person, kind=kind))
            tx.record(made.name)
            return True

        return await self._parts.uow.step(page_command("setAuthenticator", made.person), work)

    async def _is_held(self, tx: Transaction, made: Authenticator) -> bool:
        """Says whether a key is somebody's; one's own certificate may be set anew, when its authority has renewed it."""
        held = await store.key_in_use(tx.connection, made.kind, made.credential)
        return held is not None and (held.person != made.person or made.kind is AuthenticatorKind.PASSKEY)

    async def _supersede(self, tx: Transaction, made: Authenticator) -> None:
        before = await store.in_use(tx.connection, made.person, made.kind)
        if before is not None:
            change = {"state": AuthenticatorState.SUPERSEDED, "update_time": made.create_time}
            await store.UPDATE_AUTHENTICATOR.one(tx.connection, before.id, **change)


def _tail(opened: EnrollmentRow) -> str:
    """Returns the end of the account's name: enough to tell two of one's own apart."""
    return opened.person.partition("/")[2][-8:]
