"""Mirrors: models that are downloaded, checked and kept; and what a damaged or hostile mirror does not do."""

import concurrent.futures
import errno
import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import urllib.parse
import zipfile

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import zoo
from export.mirror import mirror
from zoo import pretrained
from zoo.errors import RequestError
from zoo.pretrained import hub, index

NAME = "ring/unrolled"
#: The same model under a name that the package does not have.
OTHER = "ring/mirrored"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder of models with one that the package lacks."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(index.HOME / NAME, home / OTHER)
    (home / "index.json").write_bytes(index.dump({OTHER: index.read()[NAME]}))
    return home


@pytest.fixture
def mirrored(home, tmp_path, monkeypatch):
    """A mirror of that model, in use with an empty cache: its folder."""
    mirror(tmp_path / "mirror", home)
    monkeypatch.setenv(hub.HUB, os.fspath(tmp_path / "mirror"))
    monkeypatch.setenv(hub.CACHE, os.fspath(tmp_path / "cache"))
    return tmp_path / "mirror"


class Handler(http.server.SimpleHTTPRequestHandler):
    """The web server of a mirror; also, as Google Cloud Storage has them, objects models/… of the buckets public and
    private, and the tokens that the latter asks for."""

    def do_GET(self):
        if found := re.fullmatch(r"/storage/v1/b/(public|private)/o/models%2F([^/]+)\?alt=media", self.path):
            self.path = f"/{urllib.parse.unquote(found[2])}"
            if found[1] == "private" and self.headers.get("Authorization") != "Bearer right":
                return self.send_error(401)
        return super().do_GET()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        content = json.dumps({"access_token": "right", "expires_in": 3600, "token_type": "Bearer"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        self.server.asked.append(self.path)


@pytest.fixture
def web(mirrored, monkeypatch):
    """The same mirror on a web server: its folder, and the paths that were asked for."""
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=os.fspath(mirrored))
    ) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        monkeypatch.setenv(hub.HUB, f"http://127.0.0.1:{server.server_port}/")
        yield mirrored, server.asked
        server.shutdown()


@pytest.fixture
def bucket(web, monkeypatch):
    """The same mirror in a public bucket: its folder, and the paths that were asked for."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", os.environ[hub.HUB].rstrip("/"))
    monkeypatch.setenv(hub.HUB, "gs://public/models")
    return web


@pytest.fixture
def account(bucket, monkeypatch, tmp_path):
    """Credentials for the private bucket, in use: the path of their file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    content = {
        "type": "service_account",
        "project_id": "models",
        "client_email": "reader@models",
        "private_key": key.decode(),
        "token_uri": f"{os.environ['STORAGE_EMULATOR_HOST']}/token",
    }
    (tmp_path / "account.json").write_text(json.dumps(content))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", os.fspath(tmp_path / "account.json"))
    return tmp_path / "account.json"


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def change_entry(mirror, **changes):
    text = json.loads((mirror / "index.json").read_text())
    entry = text["models"][OTHER]
    for key, value in changes.items():
        (entry["archive"] if key in ("file", "archive_sha256") else entry)[key.removeprefix("archive_")] = value
    (mirror / "index.json").write_text(json.dumps(text))
    return entry


def repack(mirror, change):
    """Writes the archive anew after `change(items, outside)`, and its checksum.

    Args:
        change: gets a list of [ZipInfo, bytes] and a path outside the cache.
    """
    path = mirror / f"{OTHER}-1.zip"
    with zipfile.ZipFile(path) as archive:
        items = [[item, archive.read(item)] for item in archive.infolist()]
    change(items, mirror.parent / "evil")
    with zipfile.ZipFile(path, "w") as archive:
        for item, content in items:
            archive.writestr(item, content)
    size = sum(len(content) for _, content in items)
    change_entry(mirror, archive_sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bytes=size)


def test_a_mirror_is_a_function_of_its_models(home, mirrored, tmp_path):
    mirror(tmp_path / "again", home)
    assert files(tmp_path / "again") == files(mirrored)
    assert sorted(map(str, files(mirrored))) == ["index.json", f"{OTHER}-1.zip"]


def test_a_model_of_a_mirror_is_listed_downloaded_once_and_used_without_it(web, monkeypatch, caplog):
    _, asked = web
    assert OTHER in [row["name"] for row in zoo.list_models(data="ring")]
    model = zoo.load(OTHER)
    np.testing.assert_array_equal(model.sample(5), zoo.load(NAME).sample(5))
    assert index.digest(model.path)[0] == index.read()[NAME]["sha256"]
    assert [path.name for path in model.path.parent.iterdir()] == ["1"]
    zoo.load(OTHER)
    assert asked.count(f"/{OTHER}-1.zip") == 1 and asked.count("/index.json") == 3

    # The mirror goes away: the last index and the cached model serve.
    def unreachable(_):
        raise OSError("no route")

    monkeypatch.setattr(hub, "_opened", unreachable)
    assert zoo.load(OTHER).path == model.path
    assert "cannot be read (no route); the models are those that it listed last" in caplog.text


def test_models_of_the_package_need_no_mirror(monkeypatch, tmp_path):
    monkeypatch.setenv(hub.HUB, os.fspath(tmp_path / "nowhere"))
    monkeypatch.setenv(hub.CACHE, os.fspath(tmp_path / "cache"))
    assert pretrained.locate(NAME).parent == index.HOME / NAME
    with pytest.raises(RequestError, match=r"^GAN_ZOO_HUB: .*nowhere/index.json cannot be read \(No such file"):
        zoo.load(OTHER)
    assert not (tmp_path / "cache").exists()


def test_an_unreachable_web_server_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv(hub.HUB, "http://127.0.0.1:9")
    monkeypatch.setenv(hub.CACHE, os.fspath(tmp_path / "cache"))
    with pytest.raises(
        RequestError, match=r"^GAN_ZOO_HUB: http://127.0.0.1:9/index.json cannot be read \(Connection refused\)$"
    ):
        zoo.list_models()


@pytest.mark.parametrize("bucket_name", ["public", "private"])
def test_a_model_of_a_bucket_is_listed_without_tensorflow_and_loaded(bucket_name, bucket, account, monkeypatch):
    monkeypatch.setenv(hub.HUB, f"gs://{bucket_name}/models/")
    listing = "import sys, zoo; print([row['name'] for row in zoo.list_models()], 'tensorflow' in sys.modules)"
    listed = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert OTHER in listed.stdout and listed.stdout.endswith("False\n") and listed.stderr == ""
    np.testing.assert_array_equal(zoo.load(OTHER).sample(5), zoo.load(NAME).sample(5))
    assert bucket[1].count("/token") == (0 if bucket_name == "public" else 3)


def test_a_bucket_that_cannot_be_read_is_one_line(account, monkeypatch):
    line = r"^GAN_ZOO_HUB: gs://{} cannot be read \({}\)$"
    monkeypatch.setenv(hub.HUB, "gs://nowhere/models")
    with pytest.raises(RequestError, match=line.format("nowhere/models/index.json", "404 Client Error: [^\n]*")):
        zoo.list_models()
    monkeypatch.setenv(hub.HUB, "gs://private/models")
    account.unlink()
    with pytest.raises(RequestError, match=line.format("private/models/index.json", f"File {account} was not found.")):
        zoo.list_models()
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(RequestError, match=r"gs://private/models/index.json is .* pip install 'tf-gan-zoo\[gcs\]'$"):
        zoo.list_models()


@pytest.mark.parametrize("kind", ["web", "bucket", "folder"])
def test_an_archive_that_is_not_there_is_one_line(kind, request, tmp_path):
    folder = request.getfixturevalue("mirrored") if kind == "folder" else request.getfixturevalue(kind)[0]
    (folder / f"{OTHER}-1.zip").unlink()
    with pytest.raises(RequestError, match=r"^zoo.load: .*mirrored-1.zip cannot be read \((404|No such file)"):
        zoo.load(OTHER)
    assert not list((tmp_path / "cache" / "models").iterdir())


def climb(items, outside):
    items[0][0].filename = "../../../evil"


def absolute(items, outside):
    items[0][0].filename = str(outside)


def link(items, outside):
    item = zipfile.ZipInfo("link")
    item.external_attr = (stat.S_IFLNK | 0o777) << 16
    items.append([item, b"/etc/passwd"])


def twice(items, outside):
    items.append([zipfile.ZipInfo(items[0][0].filename), b""])


def more(items, outside):
    items.append([zipfile.ZipInfo("more"), b"more"])


def other_bytes(items, outside):
    items[0][1] = bytes(len(items[0][1]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "change, message",
    [
        (climb, "the archive holds '../../../evil'; expected plain files inside one folder"),
        (absolute, "the archive holds '/.*/evil'; expected plain files inside one folder"),
        (link, "the archive holds 'link'; expected plain files inside one folder"),
        (twice, r"the archive is damaged \(.*File exists"),
        (more, "the files of 'ring/mirrored' have another checksum than the mirror's index tells"),
        (other_bytes, "the files of 'ring/mirrored' have another checksum than the mirror's index tells"),
    ],
)
def test_a_hostile_archive_is_refused_and_writes_nothing(change, message, mirrored, tmp_path):
    repack(mirrored, change)
    before = files(tmp_path)
    with pytest.raises(RequestError, match=f"^zoo.load: {message}"):
        zoo.load(OTHER)
    left = {path for path in files(tmp_path) if path not in before}
    assert all(path.parts[0] == "cache" and path.name.startswith("index-") for path in left)
    assert not list((tmp_path / "cache" / "models").iterdir())


def test_an_archive_larger_than_the_index_tells_is_refused_before_it_is_unpacked(mirrored):
    change_entry(mirrored, bytes=1000)
    with pytest.raises(RequestError, match=r"^zoo.load: the archive holds [0-9,]+ bytes; the index tells of 1,000$"):
        zoo.load(OTHER)


def test_an_archive_with_another_checksum_is_refused(mirrored, tmp_path):
    path = mirrored / f"{OTHER}-1.zip"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"mirrored-1.zip has another checksum than the mirror's index tells$"):
        zoo.load(OTHER)
    assert not list((tmp_path / "cache" / "models").iterdir())


def test_an_archive_that_is_none_is_refused(mirrored):
    (mirrored / f"{OTHER}-1.zip").write_bytes(b"not a ZIP file")
    change_entry(mirrored, archive_sha256=hashlib.sha256(b"not a ZIP file").hexdigest())
    with pytest.raises(RequestError, match=r"^zoo.load: the archive is damaged \(File is not a zip file\)$"):
        zoo.load(OTHER)


def test_an_index_without_archives_is_refused(home, monkeypatch, tmp_path):
    monkeypatch.setenv(hub.HUB, os.fspath(home))
    monkeypatch.setenv(hub.CACHE, os.fspath(tmp_path / "cache"))
    with pytest.raises(RequestError, match=r"ring/mirrored.archive: missing; python -m export.mirror writes an index"):
        zoo.list_models()


def test_a_damaged_model_in_the_cache_is_downloaded_again(mirrored, caplog):
    model = zoo.load(OTHER)
    graph = model.path / "saved_model.pb"
    content = graph.read_bytes()
    graph.write_bytes(content[:-1])
    assert zoo.load(OTHER).path == model.path and graph.read_bytes() == content
    assert "is damaged; 'ring/mirrored' is downloaded again" in caplog.text
    assert [path.name for path in model.path.parent.parent.iterdir()] == [model.path.parent.name]


def test_a_full_disk_leaves_nothing_half_written(mirrored, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(hub.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left") as caught:
        zoo.load(OTHER)
    assert not isinstance(caught.value, RequestError)  # The request may be repeated: programs exit with 1.
    assert not list((tmp_path / "cache" / "models").iterdir())
    monkeypatch.undo()


def test_a_cache_that_cannot_be_written_serves_what_it_holds(mirrored, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv(hub.CACHE, os.fspath(blocked / "cache"))
    with pytest.raises(RequestError, match=r"^GAN_ZOO_CACHE: .*file/cache/models cannot be written \(Not a directory"):
        zoo.load(OTHER)
    monkeypatch.setenv(hub.CACHE, os.fspath(tmp_path / "cache"))
    model = zoo.load(OTHER)
    refuse = functools.partial(_refuse, tmp_path / "cache")
    monkeypatch.setattr(hub.pathlib.Path, "mkdir", refuse)
    monkeypatch.setattr(hub, "write_whole", refuse)
    assert zoo.load(OTHER).path == model.path


def _refuse(cache, *_, **__):
    raise PermissionError(errno.EROFS, os.strerror(errno.EROFS), os.fspath(cache))


def test_processes_that_load_a_model_at_the_same_time_all_get_it(web, tmp_path):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: pretrained.locate(OTHER), range(8)))
    assert len(found) == 1 and index.digest(found.pop())[0] == index.read()[NAME]["sha256"]
    assert len(list((tmp_path / "cache" / "models").iterdir())) == 1
