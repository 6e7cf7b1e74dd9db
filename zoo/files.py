"""Atomic file writes, and checks that files can be written. Free of TensorFlow."""

import contextlib
import errno
import os
import stat
import uuid

from etils import epath

from zoo.errors import RequestError

#: errno of a full disk, and of an exceeded quota.
FULL = (errno.ENOSPC, errno.EDQUOT)


def write_whole(path, content):
    """Writes bytes under a temporary name in the same folder, then renames: readers never see half a file.

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
    """Raises OSError unless a local `path` is a regular file or a link to one: opening a named pipe would block. Remote
    paths pass."""
    if "://" not in os.fspath(path) and not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("not a regular file")


def check_writable(folder, where):
    """Raises RequestError unless files can be created in `folder`, or in its nearest existing parent.

    Programs call it before long work. Leaves nothing behind.
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
    """Turns an OSError into a RequestError: `path`, given by the flag `where`, cannot be written.

    The OSError of a full disk passes, with `path` as its filename: the request is valid and may be repeated.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            error.filename = error.filename or os.fspath(path)
            raise
        raise RequestError(f"{where}: {path} cannot be written ({error.strerror or error})") from error
