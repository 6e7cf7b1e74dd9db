"""Pretrained generators, listed in `index.json`: a SavedModel each, with its model card and its report.

    models = zoo.list_models(data="digits")
    model = zoo.load("digits/non_saturating")
    images = model.sample(16, seed=0)

Programs take ``zoo:NAME`` where they take the path of a SavedModel. Some models are part of the package, others come
from a mirror, see `zoo.pretrained.hub`. Listing imports no TensorFlow.
"""

import os
import pathlib

from etils import epath

from zoo.errors import RequestError
from zoo.options import one_of
from zoo.pretrained import hub, index
from zoo.pretrained.index import HOME, Models
from zoo.pretrained.model import Pretrained

#: What precedes a pretrained model's name where a path is expected.
PREFIX = "zoo:"


def entries(home=HOME):
    """The entries of all models by name, those of the package before the mirror's of the same name."""
    return dict(sorted({**hub.read_index(), **index.read(home)}.items()))


def list_models(data=None, method=None, metric=None):
    """The pretrained models.

    Args:
        data: data set that they were trained on, such as "digits"; None for any.
        method: objective, or variant, such as "wasserstein_gp"; None for any.
        metric: name of a metric: only models that have it, the smallest value first.

    Returns:
        `Models`, a list of dicts that prints as a table.

    Raises:
        RequestError: the mirror's index cannot be read.
    """
    rows = [{"name": name, **entry} for name, entry in entries().items()]
    for key, asked in (("data", data), ("method", method)):
        rows = [row for row in rows if asked in (None, row[key])]
    if metric is not None:
        rows = [row for row in rows if metric in row["metrics"]]
        rows.sort(key=lambda row: row["metrics"][metric]["value"])
    return Models(rows)


def locate(name, where="name", home=HOME):
    """The directory of a pretrained model's version, a pathlib.Path, its files checked against the index.

    Its parent is a model's directory for TensorFlow Serving.

    Raises:
        RequestError: there is no such model, or its files are not those of the index, or they cannot be downloaded; the
            message begins with `where`.
    """
    packaged = index.read(home)
    if name not in packaged:
        mirrored = hub.read_index()
        one_of(*packaged, *mirrored).check(name, where)
        return hub.fetch(name, mirrored[name], where)
    version = pathlib.Path(home, *name.split("/"), str(packaged[name]["version"]))
    if index.digest(version)[0] != packaged[name]["sha256"]:
        raise RequestError(f"{where}: {version} has another checksum than the index tells of {name!r}; install it anew")
    return version


def find_saved_model(path, where="--saved_model"):
    """The directory that holds a SavedModel: `path` itself, or its newest version. Does not import TensorFlow.

    Args:
        path: directory of a version or of a model, or ``zoo:NAME`` of a pretrained one.
        where: name of the path in error messages.

    Returns:
        epath.Path.

    Raises:
        RequestError: there is none.
    """
    text = os.fspath(path)
    if text.startswith(PREFIX):
        return epath.Path(locate(text.removeprefix(PREFIX), where))
    path = epath.Path(path).expanduser()
    if _holds_model(path):
        return path
    if not path.is_dir():
        raise RequestError(f"{where}: {path}: no such directory")
    numbers = sorted(version_numbers(path), reverse=True)
    for number in numbers:
        if _holds_model(path / str(number)):
            return path / str(number)
    models = [entry.name for entry in path.iterdir() if entry.is_dir() and any(version_numbers(entry))]
    hint = f"; it holds models, name one: {', '.join(sorted(models)[:5])}" if models else ""
    raise RequestError(f"{where}: {path} holds no SavedModel (saved_model.pb, or folders 1, 2, … with one){hint}")


def version_numbers(models):
    """Version numbers in a model's folder, an etils.epath.Path: a list of int, unsorted."""
    return [int(entry.name) for entry in models.iterdir() if entry.name.isdecimal()]


def _holds_model(path):
    return (path / "saved_model.pb").exists() or (path / "saved_model.pbtxt").exists()


def load(name):
    """The pretrained generator `name`, a `Pretrained`; from a mirror it is downloaded first.

    Raises:
        RequestError: as of `locate`.
    """
    return Pretrained(name, locate(name, "zoo.load"))
