"""A lock, so that one process at a time trains in a workdir. Free of TensorFlow.

The lock is the kernel's (`flock`) on the file `lock` in the workdir. It ends with its process, even a killed one, which
leaves an unlocked file behind. The file names the holder. Object stores and file systems without locks are not locked:
there the user must keep runs apart.
"""

import contextlib
import datetime
import fcntl
import os
import socket
import time

from absl import logging
from etils import epath

from zoo.errors import RequestError

_NAME = "lock"
#: Seconds to retry the lock, which another process' `check_free` holds for a moment.
_SECONDS = 1.0


@contextlib.contextmanager
def held(workdir):
    """Holds the lock of `workdir`, an existing directory, while the block runs.

    Raises:
        RequestError: another process holds it, or its file cannot be opened; the message names the holder.
    """
    path = epath.Path(workdir) / _NAME
    if not _is_local(path):
        yield
        return
    with contextlib.ExitStack() as opened:
        file = _acquire(path, opened)
        file.truncate(0)
        since = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {since}\n")
        file.flush()
        try:
            yield
        finally:
            # Removed while held: a process that opened the file before and locks it after sees that it is gone, and
            # retries.
            path.unlink(missing_ok=True)


def check_free(workdir):
    """Raises RequestError where another process trains in `workdir`, which need not exist. Leaves nothing behind."""
    path = epath.Path(workdir) / _NAME
    if not _is_local(path) or not path.exists():
        return
    with _open(path, "r") as file:
        if not _take(file, fcntl.LOCK_SH):
            raise _refusal(path, file)


def _is_local(path):
    return "://" not in os.fspath(path)


def _acquire(path, opened):
    end = time.monotonic() + _SECONDS
    while True:
        file = opened.enter_context(_open(path, "a+"))
        if _take(file, fcntl.LOCK_EX):
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                    return file
        elif time.monotonic() > end:
            raise _refusal(path, file)
        file.close()
        time.sleep(0.05)


def _open(path, mode):
    try:
        return open(path, mode)
    except OSError as error:
        raise RequestError(f"--workdir: {path} cannot be opened ({error.strerror or error})") from error


def _take(file, kind):
    """Whether the lock was taken; True also where the file system has no locks."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        logging.warning("%s cannot be locked (%s); let one process at a time train there", file.name, error.strerror)
    return True


def _refusal(path, file):
    file.seek(0)
    holder = file.read().strip() or "another process"
    return RequestError(f"--workdir: {path.parent} is being trained in by {holder}; wait for it, or stop it")
