"""Files that appear whole or not at all, and checks that they can be written. Free of TensorFlow."""

import contextlib
import errno
import os
import stat
import uuid

from etils import epath

from zoo.errors import RequestError

#: Numbers of the errors of a full disk, or of a full share of it.
FULL = (errno.ENOSPC, errno.EDQUOT)


def write_whole(path, content):
    """Writes bytes under another name in the same folder, then renames: nobody ever sees half a file.

    Args:
        path: where to, local or remote (`etils.epath`); a file there is replaced. Its folder must exist.
        content: bytes.

    Raises:
        OSError: the folder cannot be written; nothing is left behind.
    """
    path = epath.Path(path)
    building = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}"
    try:
        building.write_bytes(content)
        building.replace(path)
    except BaseException:  # Ctrl-C too: whatever ends this early leaves nothing half-written
        building.unlink(missing_ok=True)
        raise


def check_regular(path):
    """Raises OSError unless `path`, where it is local, is a file or leads to one: to open a named pipe is to wait for
    whoever writes into it."""
    if "://" not in os.fspath(path) and not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("not a regular file")


def check_writable(folder, where):
    """Raises RequestError unless files can be made in `folder`, or in the first of its parents that is there.

    Programs ask before they begin, so that nobody waits for a result that has no place. Leaves nothing behind.
    """
    standing = folder = epath.Path(folder).expanduser()
    while not standing.exists() and standing.parent != standing:
        standing = standing.parent
    probe = standing / f".probe-{uuid.uuid4().hex}"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise RequestError(f"{where}: {folder} cannot be written ({standing}: {error.strerror or error})") from error


@contextlib.contextmanager
def writing(where, path):
    """Turns an OSError into a RequestError: `where` names a `path` that cannot be written.

    The error of a full disk passes, with the path, for the request is right and may be made again.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            error.filename = error.filename or os.fspath(path)
            raise
        raise RequestError(f"{where}: {path} cannot be written ({error.strerror or error})") from error
