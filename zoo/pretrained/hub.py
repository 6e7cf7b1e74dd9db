"""Mirrors: further models, from a directory, a bucket or a web server.

The environment variable GAN_ZOO_HUB names the mirror: a path, gs://BUCKET/PATH or https://HOST/PATH. It holds an
`index.json` and a ZIP archive for each model; `python -m export.mirror` writes one. Models are kept under the checksum
of their files in a cache, GAN_ZOO_CACHE or the user's own, so that they are downloaded once.
"""

import contextlib
import functools
import hashlib
import os
import pathlib
import shutil
import stat
import urllib.parse
import uuid
import zipfile
import zlib

from absl import logging

from zoo.errors import RequestError
from zoo.files import write_whole, writing
from zoo.pretrained import index
from zoo.progress import Progress

HUB, CACHE = "GAN_ZOO_HUB", "GAN_ZOO_CACHE"
#: Seconds without an answer after which a web server counts as unreachable.
_TIMEOUT = 30
_CHUNK = 1 << 18
#: What zipfile raises for archives that it cannot read.
_DAMAGE = (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, zlib.error)


def cache():
    """The directory of downloaded models, a pathlib.Path."""
    import pooch

    return pathlib.Path(os.environ.get(CACHE) or pooch.os_cache("gan_zoo")).expanduser()


def read_index():
    """The entries of the mirror's index; {} without a mirror. While it is unreachable, those that it had last.

    Raises:
        RequestError: it cannot be read and never was; or it is not as its schema.
    """
    hub = os.environ.get(HUB)
    if not hub:
        return {}
    url = _join(hub, "index.json")
    kept = cache() / f"index-{hashlib.sha256(url.encode()).hexdigest()[:16]}.json"
    try:
        with _opened(url) as (chunks, _):
            content = b"".join(chunks)
    except OSError as error:
        if not kept.exists():
            raise RequestError(f"{HUB}: {url} cannot be read ({_told(error)})") from error
        logging.warning("%s: %s cannot be read (%s); the models are those that it listed last", HUB, url, _told(error))
        return index.parse(kept.read_bytes(), kept)
    entries = index.parse(content, url)
    for name, entry in entries.items():
        if "archive" not in entry:
            raise RequestError(f"{url}, {name}.archive: missing; python -m export.mirror writes an index with archives")
    # A cache that cannot be written is no obstacle to reading.
    with contextlib.suppress(OSError):
        if not kept.exists() or kept.read_bytes() != content:
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_whole(kept, content)
    return entries


def fetch(name, entry, where):
    """The files of a model of the mirror: from the cache, or downloaded into it.

    Processes that fetch the same model at the same time do not disturb one another.

    Args:
        name: of the model.
        entry: its entry in the mirror's index.
        where: what messages begin with.

    Returns:
        pathlib.Path of the version's directory, the only one in its parent.

    Raises:
        RequestError: the archive cannot be read, has another checksum than the index tells, or holds anything but the
            model's files; or the cache cannot be written.
    """
    models = cache() / "models"
    model = models / hashlib.sha256(f"{entry['sha256']} {entry['version']}".encode()).hexdigest()[:32]
    version = model / str(entry["version"])
    if version.is_dir():
        if index.digest(version)[0] == entry["sha256"]:
            return version
        logging.warning("%s is damaged; %r is downloaded again", version, name)
    building = models / f".building-{uuid.uuid4().hex}"
    try:
        with writing(CACHE, models):
            building.mkdir(parents=True)
            archive = _download(name, entry, building, where)
            made = building / "model" / version.name
            _unpack(archive, made, entry, where)
            if index.digest(made)[0] != entry["sha256"]:
                raise RequestError(
                    f"{where}: the files of {name!r} have another checksum than the mirror's index tells"
                )
            _put(made.parent, model, building)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return version


def _download(name, entry, folder, where):
    """The path of a model's archive, downloaded into `folder` and checked."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    url = _join(os.environ[HUB], entry["archive"]["file"])

    def copy(url, target, _):
        # Errors of reading are the mirror's; those of writing are the cache's, and pass.
        chunks = _chunks(url, name, where)
        with open(target, "wb") as file:
            for chunk in chunks:
                file.write(chunk)

    try:
        return pooch.retrieve(url, entry["archive"]["sha256"], "archive.zip", folder, downloader=copy)
    except ValueError as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{where}: {url} has another checksum than the mirror's index tells") from error


def _chunks(url, name, where):
    try:
        with _opened(url) as (chunks, size), Progress(size, f"downloading {name}", "byte") as progress:
            for chunk in chunks:
                yield chunk
                progress.update(progress.done + len(chunk))
    except OSError as error:
        raise RequestError(f"{where}: {url} cannot be read ({_told(error)})") from error


@contextlib.contextmanager
def _opened(url):
    """(chunks, size in bytes) of what a URL or a path holds. Raises OSError, also while the chunks are read."""
    if url.startswith(("http://", "https://", "gs://")):
        with _request_object(url) if url.startswith("gs://") else _request(url) as response:
            response.raise_for_status()
            yield response.iter_content(_CHUNK), int(response.headers.get("Content-Length") or 0)
    else:
        path = pathlib.Path(url).expanduser()
        with path.open("rb") as file:
            yield iter(functools.partial(file.read, _CHUNK), b""), path.stat().st_size


def _request(url, session=None):
    import requests

    return (session or requests).get(url, stream=True, timeout=_TIMEOUT)


def _request_object(url):
    """The response of Google Cloud Storage: without credentials, or, where the object is not public, with the user's.

    Not through `epath`, which would import TensorFlow, whose errors are no OSErrors. STORAGE_EMULATOR_HOST names
    another server, as it does for Google's clients.
    """
    bucket, _, name = url.removeprefix("gs://").partition("/")
    host = os.environ.get("STORAGE_EMULATOR_HOST") or "https://storage.googleapis.com"
    address = f"{host}/storage/v1/b/{bucket}/o/{urllib.parse.quote(name, safe='')}?alt=media"
    response = _request(address)
    if response.status_code not in (401, 403):
        return response
    response.close()
    try:
        import google.auth
        from google.auth.transport.requests import AuthorizedSession
    except ImportError as error:
        raise RequestError(
            f"{HUB}: {url} is not public and needs google-auth; pip install 'tf-gan-zoo[gcs]'"
        ) from error
    try:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/devstorage.read_only"])
        return _request(address, AuthorizedSession(credentials))
    except google.auth.exceptions.GoogleAuthError as error:
        raise OSError(str(error)) from error


def _unpack(archive, folder, entry, where):
    """Writes the files of an archive, which must be plain ones inside `folder` and of the size that the index tells."""
    try:
        with zipfile.ZipFile(archive) as held:
            files = [item for item in held.infolist() if not item.is_dir()]
            for item in files:
                _check_inside(item, where)
            size = sum(item.file_size for item in files)
            if size != entry["bytes"]:
                raise RequestError(f"{where}: the archive holds {size:,} bytes; the index tells of {entry['bytes']:,}")
            for item in files:
                target = folder / item.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                # Reads no more than `file_size`, whatever the compressed data would give.
                with held.open(item) as source, open(target, "xb") as file:
                    shutil.copyfileobj(source, file)
    except (*_DAMAGE, FileExistsError) as error:
        raise RequestError(f"{where}: the archive is damaged ({error})") from error


def _check_inside(item, where):
    parts = item.filename.split("/")
    kind = stat.S_IFMT(item.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or {"", ".", ".."} & set(parts) or any(mark in item.filename for mark in "\\:\0"):
        raise RequestError(f"{where}: the archive holds {item.filename!r}; expected plain files inside one folder")


def _put(made, model, aside):
    """Moves a complete model into its place, unless another process was first."""
    if model.exists() and index.digest(model) != index.digest(made):
        with contextlib.suppress(FileNotFoundError):
            model.rename(aside / "former")
    try:
        made.rename(model)
    except OSError:
        if not model.exists():
            raise


def _join(hub, file):
    return f"{hub.rstrip('/')}/{file}"


def _told(error):
    """The system's message behind an error of reading, such as "Connection refused", or else the error itself."""
    cause = error
    while cause is not None:
        if getattr(cause, "strerror", None):
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return error
