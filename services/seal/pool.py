"""The bounded pool in which keys are used and files are read and packed: never on the event loop."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Pool:
    """Threads. SM2, SM3 and compression release the interpreter lock, so that they use all cores.

    Attributes:
        workers: how many there are.
    """

    def __init__(self, workers: int = 0) -> None:
        """Takes the number of threads; 0 means one a core."""
        self.workers = workers or os.cpu_count() or 1
        self._executor = ThreadPoolExecutor(self.workers, thread_name_prefix="seal")

    async def run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Runs ``function`` in one of the threads."""
        assert not kwargs, "arguments are given by position"
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *args)

    async def close(self) -> None:
        """Ends the threads once their work is done."""
        self._executor.shutdown(wait=True)
