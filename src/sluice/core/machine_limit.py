"""What a machine refuses to a program that wants to start another one, named: open files, processes, memory."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sluice.core import codes
from sluice.core.errors import StateError
from sluice.core.problem import Problem

_LACKS = {
    errno.EAGAIN: ("no more processes", "raise the limit on processes (pids of the container, or ulimit -u)"),
    errno.EMFILE: ("no more open files", "raise the limit on open files (ulimit -n)"),
    errno.ENFILE: ("no more open files on this machine", "look at what holds so many open on the node"),
    errno.ENOMEM: ("no memory for another process", "give the operator more memory"),
}


@contextmanager
def starting(program: str) -> Iterator[None]:
    """Raise StateError (MachineLimit) for a program that can't be started within for want of one of these.

    Other errors of the start stay what they are.
    """
    try:
        yield
    except OSError as error:
        lack = _LACKS.get(error.errno or 0)
        if lack is None:
            raise
        what, fix = lack
        title = f"{program} can't be started: {what}"
        raise StateError(Problem(codes.MACHINE_LIMIT, title, cause=error.strerror or what, fix=fix)) from error
