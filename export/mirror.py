"""Writes a mirror of pretrained models, from which GAN_ZOO_HUB loads them.

    python -m export.mirror --out=DIR [--home=FOLDER]

writes DIR/index.json, last, and for each model of FOLDER's index the ZIP archive DIR/DATA/METHOD-VERSION.zip. Any web
server or bucket can hold them; FOLDER is what `export.publish --home` writes.
"""

import hashlib
import io
import os
import zipfile

from absl import flags
from etils import epath

from trainers import program
from zoo.errors import RequestError
from zoo.files import check_writable, write_whole, writing
from zoo.pretrained import index, locate


def mirror(out, home=index.HOME):
    """Writes the mirror of a folder of models; the same models give the same bytes.

    Args:
        out: directory of the mirror, made if it does not exist.
        home: folder of the models and their index.

    Returns:
        epath.Path of the mirror's index.

    Raises:
        RequestError: a model's files are not those of the index, or `out` cannot be written.
    """
    out, entries = epath.Path(out).expanduser(), index.read(home)
    for name, entry in entries.items():
        content = _archive(locate(name, "--home", home))
        file = f"{name}-{entry['version']}.zip"
        entry["archive"] = {"file": file, "sha256": hashlib.sha256(content).hexdigest()}
        with writing("--out", out):
            (out / file).parent.mkdir(parents=True, exist_ok=True)
            write_whole(out / file, content)
    with writing("--out", out):
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / "index.json", index.dump(entries))
    return out / "index.json"


def _archive(version):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in version.rglob("*") if path.is_file()):
            # Without the file's time and owner.
            item = zipfile.ZipInfo(path.relative_to(version).as_posix())
            archive.writestr(item, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return content.getvalue()


def main(argv):
    del argv
    if not flags.FLAGS.out:
        raise RequestError("--out: missing; see --help")
    check_writable(flags.FLAGS.out, "--out")
    print(mirror(flags.FLAGS.out, flags.FLAGS.home))


def run():
    """Console entry point."""
    flags.DEFINE_string("out", None, "Directory of the mirror.")
    flags.DEFINE_string("home", os.fspath(index.HOME), "Folder of the models and their index; the package's own.")
    program.run(main)


if __name__ == "__main__":
    run()
