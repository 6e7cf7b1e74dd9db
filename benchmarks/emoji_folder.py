"""A folder of 3,781 colour images of 64×64 in nine class folders, for trying methods beyond 32 pixels: Google's Noto
emoji (Apache-2.0), as the npm package emoji-datasource-google has them.

    npm pack emoji-datasource-google@16.0.0
    python -m benchmarks.emoji_folder --package=emoji-datasource-google-16.0.0.tgz --out=noto-emoji
    python -m trainers.train --config=configs/folder.py:progressive --config.data.source=folder:noto-emoji \\
        --config.data.image_size=64 --config.train.steps=7000 --config.objective_options.stable_steps=600 \\
        --config.objective_options.fade_steps=600 --config.generator.filter_base=512 --config.critic.filter_base=512 \\
        --workdir=runs/progressive_64

The classes are the emoji's categories; each tone of skin is an image of its own.
"""

import json
import pathlib
import tarfile
import tempfile

from absl import flags

from trainers import program
from zoo.errors import RequestError
from zoo.files import writing

_LIST, _IMAGES = "package/emoji.json", "package/img/google/64/"


def categories(emoji):
    """{file name: category}: of the package's list of emoji with their variations, without mere components of them."""
    found = {}
    for each in emoji:
        if each["category"] == "Component":
            continue
        for form in (each, *each.get("skin_variations", {}).values()):
            found[form["image"]] = each["category"].replace(" & ", "_")
    return found


def main(argv):
    del argv
    given, out = flags.FLAGS, pathlib.Path(flags.FLAGS.out)
    if out.exists():
        raise RequestError(f"--out={out}: exists; expected the name of a new directory")
    try:
        with tarfile.open(given.package) as package:
            members = (member for member in package if member.name.startswith((_LIST, _IMAGES)))
            files = {member.name: package.extractfile(member).read() for member in members}
    except (OSError, tarfile.TarError) as error:
        raise RequestError(f"--package={given.package}: {error}; expected the file that npm pack made") from error
    if _LIST not in files:
        raise RequestError(f"--package={given.package}: no {_LIST} in it; expected emoji-datasource-google")
    with writing("--out", out):
        out.parent.mkdir(parents=True, exist_ok=True)
        # Built beside its place: a folder of that name is a whole one.
        with tempfile.TemporaryDirectory(dir=out.parent) as building:
            folder = pathlib.Path(building) / out.name
            for name, category in categories(json.loads(files[_LIST])).items():
                if _IMAGES + name in files:
                    (folder / category).mkdir(parents=True, exist_ok=True)
                    (folder / category / name).write_bytes(files[_IMAGES + name])
            folder.rename(out)
    print(out)


if __name__ == "__main__":
    flags.DEFINE_string("package", None, "The package's file, .tgz.", required=True)
    flags.DEFINE_string("out", "noto-emoji", "The folder, a new one.")
    program.run(main)
