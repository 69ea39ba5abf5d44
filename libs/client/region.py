"""A region as a program meets it: one gateway, and as whom it is called."""

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from google.longrunning import operations_pb2
from google.protobuf.message import Message

from libs.client.calls import Answer, AsyncRegionCalls, RegionCalls
from libs.client.certificates import OwnCertificate
from libs.client.connection import Connection
from libs.client.credentials import Bearer, Credentials, PrivateKey
from libs.client.files import AsyncFiles, Files
from libs.client.made import Api, AsyncApi
from libs.client.proofs import ProofKey
from libs.client.receipts import OnReceipt, receipt_file
from libs.client.retrying import RetryPolicy
from libs.client.signing import RequestSigner
from libs.client.tokens import GivenToken, IssuedToken, RenewedTokens, TokenSource
from libs.client.waiting import ProgressBar, waited
from libs.rpc.contract import DEFAULT_SECONDS
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from tongban.audit.v1 import audit_service_pb2
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import token_service_pb2

Result = TypeVar("Result")

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class AsyncTongban(AsyncApi):
    """A region, called by gRPC through its gateway.

    Args:
        url: the gateway's base URL, as the region publishes it.
        credentials: who the program is; None for what anyone may ask.
        roots: PEM certificates to trust for https; None for those of the system.
        timeout: seconds for one call with all its tries, where a call does not say; None for what its contract says.
        policy: how calls are tried again.
        on_receipt: is told the receipt of every recorded call, and that of another region which was asked for it.
        proof_key: the key to which tokens are bound, so that they are of use to nobody who copies them (DPoP); None for bearer's
            tokens. Where one goes on to another region (``in_region``) that one is opened with the same.
        certificate: with which connections are opened, at the region's listener for partners (RFC 8705; ``url`` is then its address);
            tokens are bound to it where there is no ``proof_key``.

    What returns another ``AsyncTongban`` shares its connections: close the first one alone.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials | None = None,
        *,
        roots: bytes | None = None,
        timeout: float | None = None,
        policy: RetryPolicy | None = None,
        on_receipt: OnReceipt | None = None,
        proof_key: ProofKey | None = None,
        certificate: OwnCertificate | None = None,
    ) -> None:
        connection = Connection(url, roots, on_receipt, proof_key, certificate)
        self._begin(AsyncRegionCalls(connection, GivenToken(), policy or RetryPolicy(), timeout), credentials)

    def _begin(
        self, caller: AsyncRegionCalls, credentials: Credentials | None, tokens: TokenSource | None = None
    ) -> None:
        self._credentials = credentials
        key = credentials.key if isinstance(credentials, PrivateKey) and credentials.signs else None
        signer = RequestSigner(key) if key else None
        self.caller = replace(caller, tokens=tokens or self._own_tokens(caller, credentials), signer=signer)
        self.files = AsyncFiles(self.caller)
        super().__init__(self.caller)

    def _with(self, tokens: TokenSource) -> "AsyncTongban":
        made = AsyncTongban.__new__(AsyncTongban)
        made._begin(self.caller, self._credentials, tokens)  # noqa: SLF001 - it is one of these
        return made

    @property
    def url(self) -> str:
        """The gateway's base URL."""
        return self.caller.connection.url

    async def token(self) -> str:
        """The access token that is sent now; empty where none is."""
        return await self.caller.tokens.token()

    async def call(self, request: Message, answer: type[Answer], timeout: float | None = None) -> Answer:
        """Calls the RPC that ``request`` belongs to: for requests that are built before, or kept."""
        return await self.caller.call(request, answer, timeout)

    # ---- as whom ----

    def as_client(self, credentials: Credentials) -> "AsyncTongban":
        """The region as another client of it."""
        made = AsyncTongban.__new__(AsyncTongban)
        made._begin(self.caller, credentials)  # noqa: SLF001 - it is one of these
        return made

    def as_bearer(self, token: str) -> "AsyncTongban":
        """The region as whoever the token speaks for; without one, as anyone."""
        return self._with(GivenToken(token))

    def asserting(self, subject: str, kind: str, *, substitution: str = "", **claims: Any) -> "AsyncTongban":
        """The region as somebody whom this client, a channel, has authenticated (RFC 7523, 2.1).

        Args:
            subject: ``persons/…`` or ``staff/…``.
            kind: PERSON or STAFF.
            substitution: by which substitution staff stand in for a colleague; empty in posts of their own.
            claims: further claims of the assertion: ``acr="4"``, how far they are known in this session, and ``auth_time``, when
                they signed in (seconds since the epoch), which RPCs with ``max_auth_age_seconds`` ask for.
        """
        credentials = self._credentials
        if not isinstance(credentials, PrivateKey):
            raise TypeError("only a client with a private key can assert whom it has authenticated")

        async def ask() -> IssuedToken:
            assertion = credentials.sign(self.url, subject, actor_kind=kind, **claims)
            asked = {"grant_type": JWT_BEARER, "assertion": assertion}
            return await self._grant(asked | ({"substitution": substitution} if substitution else {}), credentials)

        return self._with(RenewedTokens(ask))

    def on_behalf_of(self, subject: str, mandate: str = "") -> "AsyncTongban":
        """The region as this person for a firm or another person: as its representative, or under a mandate."""
        return self._exchanging({"on_behalf_of": subject, "mandate": mandate})

    def at_window_of(self, staff: "AsyncTongban") -> "AsyncTongban":
        """The region as this person, with a member of staff who acts for them at a window (claim ``act``)."""
        return self._exchanging({}, staff)

    def _exchanging(self, asked: dict[str, str], staff: "AsyncTongban | None" = None) -> "AsyncTongban":
        sources = [self.caller.tokens, *([staff.caller.tokens] if staff else [])]

        async def ask() -> IssuedToken:
            held = [await each.token() for each in sources]
            acting = {"actor_token": held[1], "actor_token_type": ACCESS_TOKEN} if staff else {}
            return await self.exchange(subject_token=held[0], subject_token_type=ACCESS_TOKEN, **acting, **asked)

        return self._with(RenewedTokens(ask, tuple(sources)))

    def in_region(self, other: "AsyncTongban", code: str) -> "AsyncTongban":
        """Another region as who calls here: asserted here for ``//code``, and accepted there (RFC 8693)."""
        source = self.caller.tokens

        async def ask() -> IssuedToken:
            word = await self.exchange(
                subject_token=await source.token(), subject_token_type=ACCESS_TOKEN, audience=f"//{code}"
            )
            return await other.exchange(subject_token=word.token, subject_token_type=ASSERTION)

        return other._with(RenewedTokens(ask, (source,)))  # noqa: SLF001 - it is one of these

    async def exchange(self, **fields: str) -> IssuedToken:
        """Exchanges a token (RFC 8693); ``fields`` are those of ExchangeTokenRequest."""
        request = token_service_pb2.ExchangeTokenRequest(**fields)
        # Who signs shows whose keys hold by the token that is exchanged; nobody else need say who asks.
        shown = fields["subject_token"] if fields["subject_token_type"] == ACCESS_TOKEN and self.caller.signer else ""
        anyone = replace(self.caller, tokens=GivenToken(shown))
        got = await anyone.call(request, token_service_pb2.ExchangeTokenResponse)
        return IssuedToken(got.access_token, float(got.expires_in))

    def _own_tokens(self, caller: AsyncRegionCalls, credentials: Credentials | None) -> TokenSource:
        if credentials is None or isinstance(credentials, Bearer):
            return GivenToken(credentials.token if credentials else "")
        machine = credentials
        return RenewedTokens(lambda: self._grant({"grant_type": "client_credentials"}, machine, caller))

    async def _grant(
        self, form: dict[str, str], credentials: Any, caller: AsyncRegionCalls | None = None
    ) -> IssuedToken:
        caller = caller or self.caller
        endpoint = f"{caller.connection.url}/oauth/token"
        return await caller.connection.grant(form | credentials.form(endpoint), caller.seconds or DEFAULT_SECONDS)

    # ---- operations ----

    async def wait(
        self,
        operation: operations_pb2.Operation,
        answer: type[Answer],
        timeout: float | None = None,
        *,
        bar: ProgressBar | None = None,
    ) -> Answer:
        """Waits until an operation has ended, and returns its response; a terminal shows on stderr how far it is.

        Who stops waiting does not stop the operation: ``operations.cancel_operation`` asks for that.

        Args:
            operation: what the call that began it answered, or any later look at it.
            answer: the class of its response.
            timeout: seconds to wait at most; None for as long as it takes.
            bar: what is drawn, and where; nothing is where that is no terminal.

        Raises:
            TongbanError: the operation's error, or NOT_DONE_IN_TIME, while it goes on.
        """
        return await waited(self.caller, operation, answer, timeout, bar or ProgressBar())

    # ---- receipts ----

    async def prove(self, receipt: common_pb2.Receipt, timeout: float | None = None) -> bytes:
        """Gets what proves a receipt, as a file to keep: ``libs.client.verifying`` and ``tongban audit verify`` read it.

        Waits while the record is not yet under a signed head.
        """
        request = audit_service_pb2.ProveInclusionRequest(name=receipt.record)
        return receipt_file(await self.call(request, audit_service_pb2.InclusionProof, timeout), receipt)

    async def close(self) -> None:
        """Closes the connections."""
        await self.caller.connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Loop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tongban-client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Runs ``work`` to its end; cancels it where who waits is interrupted."""
        done = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return done.result()
        except BaseException:
            done.cancel()
            raise

    def stop(self) -> None:
        """Ends the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Tongban(Api):
    """A region for code that waits: as ``AsyncTongban``, which runs on a thread of its own.

    Arguments as ``AsyncTongban``; usable from any thread.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials | None = None,
        *,
        roots: bytes | None = None,
        timeout: float | None = None,
        policy: RetryPolicy | None = None,
        on_receipt: OnReceipt | None = None,
        proof_key: ProofKey | None = None,
        certificate: OwnCertificate | None = None,
    ) -> None:
        loop = _Loop()

        async def opened() -> AsyncTongban:
            return AsyncTongban(
                url,
                credentials,
                roots=roots,
                timeout=timeout,
                policy=policy,
                on_receipt=on_receipt,
                proof_key=proof_key,
                certificate=certificate,
            )

        self._begin(loop.run(opened()), loop)

    def _begin(self, region: AsyncTongban, loop: _Loop) -> None:
        self._region, self._loop = region, loop
        self.files = Files(region.caller, loop.run)
        super().__init__(RegionCalls(region.caller, loop.run))

    def _with(self, region: AsyncTongban) -> "Tongban":
        made = Tongban.__new__(Tongban)
        made._begin(region, self._loop)  # noqa: SLF001 - it is one of these
        return made

    def token(self) -> str:
        """The access token that is sent now; empty where none is."""
        return self._loop.run(self._region.token())

    def call(self, request: Message, answer: type[Answer], timeout: float | None = None) -> Answer:
        """As ``AsyncTongban.call``."""
        return self._loop.run(self._region.call(request, answer, timeout))

    def as_client(self, credentials: Credentials) -> "Tongban":
        """As ``AsyncTongban.as_client``."""
        return self._with(self._region.as_client(credentials))

    def as_bearer(self, token: str) -> "Tongban":
        """As ``AsyncTongban.as_bearer``."""
        return self._with(self._region.as_bearer(token))

    def asserting(self, subject: str, kind: str, *, substitution: str = "", **claims: Any) -> "Tongban":
        """As ``AsyncTongban.asserting``."""
        return self._with(self._region.asserting(subject, kind, substitution=substitution, **claims))

    def on_behalf_of(self, subject: str, mandate: str = "") -> "Tongban":
        """As ``AsyncTongban.on_behalf_of``."""
        return self._with(self._region.on_behalf_of(subject, mandate))

    def at_window_of(self, staff: "Tongban") -> "Tongban":
        """As ``AsyncTongban.at_window_of``; ``staff`` is derived from the same ``Tongban``."""
        return self._with(self._region.at_window_of(staff._region))  # noqa: SLF001 - it is one of these

    def wait(
        self,
        operation: operations_pb2.Operation,
        answer: type[Answer],
        timeout: float | None = None,
        *,
        bar: ProgressBar | None = None,
    ) -> Answer:
        """As ``AsyncTongban.wait``."""
        return self._loop.run(self._region.wait(operation, answer, timeout, bar=bar))

    def prove(self, receipt: common_pb2.Receipt, timeout: float | None = None) -> bytes:
        """As ``AsyncTongban.prove``."""
        return self._loop.run(self._region.prove(receipt, timeout))

    def close(self) -> None:
        """Closes the connections and ends the thread."""
        self._loop.run(self._region.close())
        self._loop.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
