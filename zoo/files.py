"""Files that appear whole or not at all, and a check that they could be written. Free of TensorFlow."""

import uuid

from etils import epath

from zoo.errors import RequestError


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
