"""Ties a program's life to its parent's. Run as ``python -I -S tied.py SIGNAL PARENT-PID COMMAND…``; see `programs.ending_with_parent`."""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Asks the kernel for the signal, makes sure that the parent still lives, and becomes the command."""
    death_signal, parent, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        sys.exit("the parent ended before the start")
    os.execv(command[0], command)  # noqa: S606 - a shell is what this must not be


if __name__ == "__main__":
    main(sys.argv[1:])
