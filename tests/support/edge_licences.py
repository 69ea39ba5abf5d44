"""A small licence service for behind the edge: files without end, and stacks that end as their questions say."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from libs.errors import TongbanError, Violation, reasons
from libs.rpc import json_edge, languages, receipts, status
from tongban.common.v1 import common_pb2
from tongban.license.v1 import material_service_pb2, verification_service_pb2

RECEIPT = common_pb2.Receipt(record="license/auditRecords/1", log="//341500/license", leaf_hash=b"\xff" * 31)


def wordy() -> TongbanError:
    """An error with as many and as long words as may be sent, none of them ASCII."""
    long = tuple(Violation(f"{'字' * 60}[{place}]", "string.max_len", "过长" * 60) for place in range(40))
    return reasons.field_invalid("字" * 500, violations=long)


def _goes_on(_context: Any) -> None:
    """The question is answered."""


def _first(context: Any) -> None:
    context.send_initial_metadata(((receipts.RECEIPT, RECEIPT.SerializeToString()),))


def _broken(error: TongbanError) -> Callable[[Any], None]:
    """Ends a stream as libs/rpc/server.py does."""

    def end(context: Any) -> None:
        metadata = dict(context.invocation_metadata())
        told = status.to_status(error, languages.preferred(metadata.get(languages.HEADER, "")))
        as_json = json_edge.came_as_json(metadata)
        trailer = (json_edge.STREAM_ERROR, json_edge.stream_error(told))
        context.set_trailing_metadata((trailer if as_json else (status.DETAILS_KEY, told.SerializeToString()),))
        context.abort(status.grpc_code(error), told.message)

    return end


def _first_and_broken(context: Any) -> None:
    _first(context)
    ENDS["ending"](context)


def _bare(context: Any) -> None:
    context.abort(grpc.StatusCode.CANCELLED, "no word of ours")


def _waiting(_context: Any) -> None:
    threading.Event().wait()


ENDS: dict[str, Callable[[Any], None]] = {
    "receipt": _first,
    "receipt_and_ending": _first_and_broken,
    "ending": _broken(reasons.stream_ending("this process is about to stop", retry_after=1.0)),
    "idle": _broken(reasons.stream_idle("no message came or went", idle_seconds="60")),
    "wordy": _broken(wordy()),
    "bare": _bare,
    "slow": lambda _context: time.sleep(0.7),
    "waiting": _waiting,
}
"""What the number of a question has the service do in place of answering, or before."""


def _endless(_request: bytes, _context: Any) -> Iterator[bytes]:
    chunk = material_service_pb2.DownloadMaterialResponse(chunk=b"x" * 60_000).SerializeToString()
    for _ in range(1_000):
        yield chunk


def _each_answered(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    """Answers each question of a stack with its own number for an identifier, but for the numbers in ``ENDS``."""
    for each in requests:
        asked = verification_service_pb2.VerifyLicensesRequest.FromString(each)
        ENDS.get(asked.question.number, _goes_on)(context)
        answer = verification_service_pb2.VerifyLicenseResponse(identifier=asked.question.number)
        yield verification_service_pb2.VerifyLicensesResponse(answer=answer).SerializeToString()


def licences(folder: Path) -> tuple[grpc.Server, int]:
    """A licence service whose files are 60 MB, and which knows no licence."""
    server = grpc.server(ThreadPoolExecutor(100))
    download: Any = grpc.unary_stream_rpc_method_handler(_endless)
    verify: Any = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")
    stack: Any = grpc.stream_stream_rpc_method_handler(_each_answered)
    for service, name, handler in (
        ("MaterialService", "DownloadMaterial", download),
        ("VerificationService", "VerifyLicense", verify),
        ("VerificationService", "VerifyLicenses", stack),
    ):
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(f"tongban.license.v1.{service}", {name: handler}),)
        )
    return server, listening(server, folder, "license")


def listening(server: grpc.Server, folder: Path, name: str) -> int:
    """Starts a server with the certificate of one of the services; returns its port."""
    state = health.HealthServicer()
    state.set("database", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    pair = (folder / f"{name}.key").read_bytes(), (folder / f"{name}.pem").read_bytes()
    authority = (folder / "ca.pem").read_bytes()
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair], authority, True))
    server.start()
    return int(port)


def main() -> None:
    """Serves in a process of its own, which a question may end; prints its port."""
    server, port = licences(Path(sys.argv[1]))
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
