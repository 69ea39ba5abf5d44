"""How the calls of the API are made: tries, tokens, receipts, pages and files; one way, async, and one that waits for it."""

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

from libs.client.connection import Connection, broken, failure
from libs.client.retrying import CallAttempts, Failure, RetryPolicy
from libs.client.signing import RequestSigner
from libs.client.tokens import TokenSource
from libs.client.unreachable import RegionsUnreachable
from libs.errors import TongbanError, Unauthenticated, reasons
from libs.rpc.contract import Method, method_of

Answer = TypeVar("Answer", bound=Message)
Head = TypeVar("Head", bound=Message)
Item = TypeVar("Item")
Part = TypeVar("Part", bound=Message)
AnyIterable = AsyncIterable[Item] | Iterable[Item]
"""What is iterated over by ``async for``, or by ``for``."""

_EXCHANGE_SECONDS = 60.0
"""For so long a stream is tried again that was not answered anything."""
CHUNK_BYTES = 512 * 1024
"""How a file is cut: a chunk may have up to 1 MiB."""


class AsyncDownload(Generic[Head]):
    """A file on its way here: what it begins with, then its bytes, read once.

    ``upload`` names the upload as which it was handed out, where that was asked for; no bytes follow then.
    """

    def __init__(self, head: Head, chunks: AsyncIterator[bytes], upload: str = "") -> None:
        self.head = head
        self.chunks = chunks
        self.upload = upload

    async def read(self) -> bytes:
        """Returns all bytes; raises TongbanError where the file breaks off."""
        return b"".join([chunk async for chunk in self.chunks])


class Download(Generic[Head]):
    """As ``AsyncDownload``, for code that waits."""

    def __init__(self, head: Head, chunks: Iterator[bytes], upload: str = "") -> None:
        self.head = head
        self.chunks = chunks
        self.upload = upload

    def read(self) -> bytes:
        """Returns all bytes; raises TongbanError where the file breaks off."""
        return b"".join(self.chunks)


@dataclass(frozen=True, slots=True)
class AsyncRegionCalls:
    """Calls as one caller: a connection, and whose token is sent.

    Attributes:
        connection: the gateway.
        tokens: where the token comes from.
        policy: how it is tried again.
        seconds: how long one call may take, with all its tries, where the caller does not say; None for as long as its
            contract lets it (`timeout_seconds`).
        signer: signs each call that has a token and one message; None where none is signed.
    """

    connection: Connection
    tokens: TokenSource
    policy: RetryPolicy
    seconds: float | None
    signer: RequestSigner | None = None

    async def call(self, request: Message, answer: type[Answer], timeout: float | None = None) -> Answer:
        """Calls the RPC of ``request``.

        Args:
            request: the request; where its ``request_id`` is empty it gets one, the same for all tries.
            answer: the class of the answer.
            timeout: seconds for all tries.

        Raises:
            TongbanError: what the region refused with, rebuilt; Unavailable where nobody answers.
        """
        method, request = _method(request), _keyed(request)
        told = await self._tried(
            method, timeout, lambda seconds, token: self.connection.call(method, request, seconds, token, self.signer)
        )
        return _of(answer, told)

    async def upload(
        self, first: Part, chunk: Callable[[bytes], Part], content: bytes, answer: type[Answer], timeout: float | None
    ) -> Answer:
        """Sends a file: ``first``, then its bytes; with a ``request_id`` in what ``first`` holds, made where it is empty."""
        method = _method(first)
        for _, inner in first.ListFields():
            _key(inner)
        parts = [first, *(chunk(each) for each in _cut(content))]
        told = await self._tried(
            method, timeout, lambda seconds, token: self.connection.send(method, parts, seconds, token)
        )
        return _of(answer, told)

    async def download(
        self, request: Message, answer: type[Part], head: Callable[[Part], Head | None], timeout: float | None
    ) -> AsyncDownload[Head]:
        """Asks for a file. Until it begins to come it is asked for again; what has begun is not."""
        method = _method(request)

        async def begin(seconds: float, token: str) -> tuple[Head, AsyncIterator[Message], str]:
            stream = self.connection.receive(method, request, seconds, token, self.signer)
            part = await anext(stream, None)
            found = head(part) if isinstance(part, answer) else None
            if found is None:
                raise reasons.internal("the file did not begin with what it is")
            return found, stream, str(getattr(part, "upload", "")) if _names_upload(part) else ""

        found, stream, upload = await self._tried(method, timeout, begin)
        return AsyncDownload(found, _chunks(stream), upload)

    async def pages(
        self, request: Message, answer: type[Answer], items: Callable[[Answer], Iterable[Item]], timeout: float | None
    ) -> AsyncIterator[Item]:
        """Iterates over all pages; ``timeout`` is for each. Raises RegionsUnreachable behind the last row of a list that lacks some."""
        asked: Any = request
        away: dict[str, None] = {}
        while True:
            page: Any = await self.call(asked, answer, timeout)
            for item in items(page):
                yield item
            away |= dict.fromkeys(getattr(page, "unreachable", ()))
            asked.page_token = page.next_page_token
            if not page.next_page_token:
                break
        if away:
            raise RegionsUnreachable(tuple(away))

    async def exchange(
        self, requests: AnyIterable[Part], asked: type[Part], answer: type[Answer], timeout: float | None
    ) -> AsyncIterator[Answer]:
        """Sends messages and yields the answer to each, in order; ``timeout`` is for the whole, None for as long as it takes.

        Where the service says that it is about to stop, or the stream breaks and its messages may be sent twice, what was not
        answered is sent again over another.
        """
        method, questions = _method(asked()), _Questions(requests)
        tries = self._tries(method)
        while True:
            token = await self.tokens.token()
            try:
                async for told in self.connection.exchange(method, questions.sent(), timeout, token):
                    tries = self._tries(method)
                    questions.answered()
                    yield _of(answer, told)
            except grpc.aio.AioRpcError as error:
                how = broken(error)
                if not await tries.again(how):
                    raise how.error from error
            else:
                return

    def _tries(self, method: Method) -> CallAttempts:
        return CallAttempts(self.policy, repeatable=method.repeatable, seconds=_EXCHANGE_SECONDS)

    async def _tried(
        self, method: Method, timeout: float | None, attempt: Callable[[float, str], Awaitable[Item]]
    ) -> Item:
        seconds = next(each for each in (timeout, self.seconds, method.seconds) if each is not None)
        tries = CallAttempts(self.policy, repeatable=method.repeatable, seconds=seconds)
        while True:
            try:
                return await self._with_token(tries, attempt)
            except _Failed as failed:
                if not await tries.again(failed.how):
                    raise failed.how.error from failed.__cause__

    async def _with_token(self, tries: CallAttempts, attempt: Callable[[float, str], Awaitable[Item]]) -> Item:
        """One try; where the token is refused one more with a new token, whatever the RPC: nothing was done."""
        token = await self._token(tries)
        try:
            return await _once(attempt, tries.left, token)
        except _Failed as failed:
            refused = token and isinstance(failed.how.error, Unauthenticated)
            if not refused or not self.tokens.refused(token):
                raise
        return await _once(attempt, tries.left, await self._token(tries))

    async def _token(self, tries: CallAttempts) -> str:
        try:
            async with asyncio.timeout(tries.left):
                return await self.tokens.token()
        except TimeoutError as error:
            raise _Failed(
                Failure(reasons.dependency_unavailable("no token in time", dependency="the gateway"))
            ) from error
        except TongbanError as error:
            raise _Failed(Failure(error, sent=False)) from error


class _Questions:
    """The messages of an exchange, of which those that were not answered yet can be sent again.

    Over whichever stream one is taken from its source, it stands here, in its place, for the stream that comes after.
    """

    def __init__(self, requests: AnyIterable[Any]) -> None:
        self._source = requests.__aiter__() if isinstance(requests, AsyncIterable) else _in_thread(requests)
        self._coming: asyncio.Future[None] | None = None
        self._unanswered: deque[Message] = deque()
        self._answered = 0
        self._complete = False

    async def sent(self) -> AsyncIterator[Message]:
        """Yields what was not answered yet, then what is new."""
        place = self._answered
        while True:
            place = max(place, self._answered)
            while place - self._answered < len(self._unanswered):
                place += 1
                yield self._unanswered[place - 1 - self._answered]
            if self._complete:
                return
            await self._further()

    def answered(self) -> None:
        """The first of those that were not answered has been."""
        self._unanswered.popleft()
        self._answered += 1

    async def _further(self) -> None:
        """Waits for a further one; a stream that ends meanwhile does not end the waiting of the next."""
        if self._coming is None or self._coming.done():
            self._coming = asyncio.ensure_future(self._take())
        await asyncio.shield(self._coming)

    async def _take(self) -> None:
        new = await _next(self._source)
        if new is _END:
            self._complete = True
        else:
            self._unanswered.append(new)


async def _in_thread(items: Iterable[Item]) -> AsyncIterator[Item]:
    iterator = iter(items)
    while (found := await asyncio.to_thread(next, iterator, _END)) is not _END:
        yield found  # type: ignore[misc]


class _Failed(Exception):
    def __init__(self, how: Failure) -> None:
        super().__init__(how.error.reason)
        self.how = how


async def _once(attempt: Callable[[float, str], Awaitable[Item]], seconds: float, token: str) -> Item:
    try:
        return await attempt(seconds, token)
    except grpc.aio.AioRpcError as error:
        raise _Failed(failure(error)) from error


async def _chunks(stream: AsyncIterator[Message]) -> AsyncIterator[bytes]:
    try:
        async for part in stream:
            chunk: Any = part
            yield bytes(chunk.chunk)
    except grpc.aio.AioRpcError as error:
        raise failure(error).error from error


def _names_upload(part: Message | None) -> bool:
    field = part.DESCRIPTOR.fields_by_name.get("upload") if part is not None else None
    return field is not None and field.message_type is None


def _cut(content: bytes) -> Iterator[bytes]:
    return (content[begin : begin + CHUNK_BYTES] for begin in range(0, len(content), CHUNK_BYTES))


def _method(request: Message) -> Method:
    descriptor: Any = request.DESCRIPTOR
    method = method_of(descriptor)
    if method is None:
        raise TypeError(f"{descriptor.full_name} is no request of the API")
    return method


def _keyed(request: Message) -> Message:
    """The request with its key: a copy where one had to be made, since a request may be sent again as another call."""
    if "request_id" not in request.DESCRIPTOR.fields_by_name:
        return request
    copy = type(request)()
    copy.CopyFrom(request)
    _key(copy)
    return copy


def _key(message: Any) -> None:
    if isinstance(message, Message) and "request_id" in message.DESCRIPTOR.fields_by_name:
        keyed: Any = message
        keyed.request_id = keyed.request_id or str(uuid.uuid4())


class AsyncCalls:
    """What the methods made from the contract stand on."""

    def __init__(self, caller: AsyncRegionCalls) -> None:
        self._caller = caller

    async def _call(self, request: Message, answer: type[Answer], timeout: float | None) -> Answer:
        return await self._caller.call(request, answer, timeout)

    async def _upload(
        self, first: Part, chunk: Callable[[bytes], Part], content: bytes, answer: type[Answer], timeout: float | None
    ) -> Answer:
        return await self._caller.upload(first, chunk, content, answer, timeout)

    async def _download(
        self, request: Message, answer: type[Part], head: Callable[[Part], Head | None], timeout: float | None
    ) -> AsyncDownload[Head]:
        return await self._caller.download(request, answer, head, timeout)

    def _exchange(
        self, requests: AnyIterable[Part], asked: type[Part], answer: type[Answer], timeout: float | None
    ) -> AsyncIterator[Answer]:
        return self._caller.exchange(requests, asked, answer, timeout)

    def _pages(
        self, request: Message, answer: type[Answer], items: Callable[[Answer], Iterable[Item]], timeout: float | None
    ) -> AsyncIterator[Item]:
        return self._caller.pages(request, answer, items, timeout)


Run = Callable[[Coroutine[Any, Any, Any]], Any]
"""Runs a coroutine to its end on the client's own event loop, and returns or raises what came out."""


@dataclass(frozen=True, slots=True)
class RegionCalls:
    """An async caller, and what runs it for code that waits."""

    calls: AsyncRegionCalls
    run: Run


class Calls:
    """What the blocking methods made from the contract stand on: the async ones, run to their end."""

    def __init__(self, caller: RegionCalls) -> None:
        self._caller = caller.calls
        self._run = caller.run

    def _call(self, request: Message, answer: type[Answer], timeout: float | None) -> Answer:
        return _of(answer, self._run(self._caller.call(request, answer, timeout)))

    def _upload(
        self, first: Part, chunk: Callable[[bytes], Part], content: bytes, answer: type[Answer], timeout: float | None
    ) -> Answer:
        return _of(answer, self._run(self._caller.upload(first, chunk, content, answer, timeout)))

    def _download(
        self, request: Message, answer: type[Part], head: Callable[[Part], Head | None], timeout: float | None
    ) -> Download[Head]:
        found: AsyncDownload[Head] = self._run(self._caller.download(request, answer, head, timeout))
        return Download(found.head, self._waited(found.chunks), found.upload)

    def _exchange(
        self, requests: Iterable[Part], asked: type[Part], answer: type[Answer], timeout: float | None
    ) -> Iterator[Answer]:
        return self._waited(self._caller.exchange(requests, asked, answer, timeout))

    def _pages(
        self, request: Message, answer: type[Answer], items: Callable[[Answer], Iterable[Item]], timeout: float | None
    ) -> Iterator[Item]:
        return self._waited(self._caller.pages(request, answer, items, timeout))

    def _waited(self, items: AsyncIterator[Item]) -> Iterator[Item]:
        while (found := self._run(_next(items))) is not _END:
            yield found


_END = object()


async def _next(items: AsyncIterator[Any]) -> Any:
    return await anext(items, _END)


def _of(kind: type[Answer], found: Message) -> Answer:
    assert isinstance(found, kind)
    return found
