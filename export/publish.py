"""Adds a trained generator to the pretrained models, or replaces it by a new version.

    python -m export.publish --workdir=DIR --name=digits/non_saturating --recipe="python -m trainers.train --config=…"

exports the run in 16-bit fixed point with its report, which must be of its newest step, to the folder of the model, and
writes the index. The former version is removed once the index names the new one.
"""

import os
import re
import uuid

from absl import flags, logging
from etils import epath
from packaging import licenses

from trainers import program
from zoo.errors import RequestError
from zoo.files import check_writable, write_whole
from zoo.pretrained import cards, index, version_numbers
from zoo.pretrained.networks import EXTRA

_NAME = re.compile(r"[a-z0-9_]+/[a-z0-9_]+")
#: Largest size of a SavedModel in the package, without what lies beside it: other networks, report, card.
_MOST_BYTES = 2_500_000


def published(home):
    """The entries of the index in a folder of models, {} where there is no index yet. Raises as `index.read` does."""
    return index.read(home) if (epath.Path(home) / "index.json").exists() else {}


def publish(workdir, name, recipe, license="Apache-2.0", home=index.HOME):
    """Exports a run and enters it into an index.

    Args:
        workdir: directory of a training run with a report.
        name: of the model, DATA/METHOD.
        recipe: the command that trains it.
        license: of the weights, an SPDX identifier, which the model card states too.
        home: folder of the index.

    Returns:
        epath.Path of the version's directory.

    Raises:
        RequestError: a wrong name, no such licence, no run, no report of its newest step, or a model that is too large.
        RunFailed: stored as int16 a sample differs by more than a grey level.
    """
    if not _NAME.fullmatch(name):
        raise RequestError(f"--name: {name!r}; expected DATA/METHOD, of small letters, digits and _")
    try:
        license = licenses.canonicalize_license_expression(license)
    except licenses.InvalidLicenseExpression as error:
        raise RequestError(f"--license: {license!r}; expected an SPDX identifier, such as Apache-2.0") from error
    from export import model_card
    from export.saved_model import export_run

    home = epath.Path(home)
    entries = published(home)
    data, method = name.split("/")
    number = entries.get(name, {}).get("version", 0) + 1
    building, version = home / f".building-{uuid.uuid4().hex}", home / name / str(number)
    try:
        made = export_run(workdir, building, method, storage="int16")
        if not (made / EXTRA / "report.json").exists():
            raise RequestError(f"--workdir: {workdir} has no report of its newest step; run export.evaluate first")
        model_card.rewrite(made, license)
        sha256, size = index.digest(made)
        alone = size - index.digest(made / EXTRA)[1]
        if alone > _MOST_BYTES:
            raise RequestError(
                f"--workdir: {workdir}: a SavedModel of {alone:,} bytes; expected at most {_MOST_BYTES:,}"
            )
        entries[name] = {
            "method": method,
            "data": data,
            "recipe": recipe,
            "license": license,
            "version": number,
            "bytes": size,
            "sha256": sha256,
            "metrics": {key: _interval(value) for key, value in cards.read(made)["metrics"].items()},
        }
        if version.exists():
            # Of a process that was killed before it wrote the index.
            version.rmtree()
        version.parent.mkdir(parents=True, exist_ok=True)
        made.rename(version)
        write_whole(home / "index.json", index.dump(entries))
        for former in set(version_numbers(version.parent)) - {number}:
            (version.parent / str(former)).rmtree()
    finally:
        if building.exists():
            building.rmtree()
    return version


def _interval(metric):
    low, high = metric.get("interval") or (None, None)
    return {"value": metric["value"], "low": low, "high": high}


def main(argv):
    del argv
    given = flags.FLAGS
    for name in ("workdir", "name", "recipe"):
        if not given[name].value:
            raise RequestError(f"--{name}: missing; see --help")
    from trainers import workdir

    workdir.check_run(given.workdir)
    check_writable(given.home, "--home")
    program.start_tensorflow()
    logging.set_verbosity(logging.WARNING)
    print(publish(given.workdir, given.name, given.recipe, given.license, given.home))


def run():
    """Console entry point."""
    flags.DEFINE_string("workdir", None, "Directory of a training run with a report.")
    flags.DEFINE_string("name", None, "Name of the model, DATA/METHOD.")
    flags.DEFINE_string("recipe", None, "The command that trains it, for the index.")
    flags.DEFINE_string("license", "Apache-2.0", "Licence of the weights, an SPDX identifier.")
    flags.DEFINE_string("home", os.fspath(index.HOME), "Folder of the index and its models.")
    program.run(main)


if __name__ == "__main__":
    run()
