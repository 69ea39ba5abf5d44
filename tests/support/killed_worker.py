"""A process of its own that works on the operations of a service, until somebody kills it.

``python -m tests.support.killed_worker CONFIG FOLDER``: CONFIG is a pickled configuration. The work that it knows is ``STEPS``
steps; each first adds a line to a file in FOLDER, then notes itself.
"""

import asyncio
import pickle
import sys
from pathlib import Path

from google.protobuf.message import Message

from libs.operations.work import OperationKind, OperationWork
from libs.process import Process
from tongban.audit.v1 import audit_service_pb2 as pb

STEPS = 40


def counting(folder: Path, seconds: float) -> OperationKind:
    """The work: ``STEPS`` steps, each of so many seconds; a line in a file tells who did one, and which."""

    async def work(_request: pb.ExportAuditRecordsRequest, work: OperationWork) -> Message:
        begun = int(work.checkpoint or b"0")
        for step in range(begun, STEPS):
            with (folder / "steps").open("a", encoding="ascii") as steps:
                steps.write(f"{step}\n")
            await work.note("COUNTING", step + 1, STEPS, b"%d" % (step + 1))
            await asyncio.sleep(seconds)
        return pb.ExportAuditRecordsResponse(record_count=STEPS)

    return OperationKind(pb.ExportAuditRecordsRequest, work)


async def _main(config: bytes, folder: Path) -> None:
    process = Process("license", pickle.loads(config))
    process.operations.offer(counting(folder, 0.1))
    await process.operation_worker().run()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])))
