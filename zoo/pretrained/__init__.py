"""Pretrained generators, listed in `index.json`: a SavedModel each, with its model card and its report.

    models = zoo.list_models(data="digits")
    model = zoo.load("digits/non_saturating")
    images = model.sample(16, seed=0)

Programs take ``zoo:NAME`` where they take the path of a SavedModel. Listing imports no TensorFlow.
"""

import difflib
import functools
import hashlib
import importlib
import json
import os
import pathlib

import numpy as np

from zoo.errors import RequestError
from zoo.options import OPTIONS, TEXT, whole

#: What precedes a pretrained model's name where a path is expected.
PREFIX = "zoo:"
#: Folder of the index, and of the models under their names.
HOME = pathlib.Path(__file__).parent
#: Folder of a SavedModel for files that TensorFlow does not read.
_EXTRA = "assets.extra"
#: Names of a generator's variables in the checkpoint of a SavedModel that `export.saved_model` wrote.
_KEY = "generator_{}/{}/.ATTRIBUTES/VARIABLE_VALUE"
#: What an entry of the index holds. "metrics": {name: {"value", "low", "high"}}, low and high None without an interval.
SCHEMA = {
    "method": TEXT,
    "data": TEXT,
    "recipe": TEXT,
    "license": TEXT,
    "version": whole(1),
    "bytes": whole(1),
    "sha256": TEXT,
    "metrics": OPTIONS,
}


class Models(list):
    """Rows of the index, dicts with "name" and the keys of SCHEMA; printed as a table."""

    def __str__(self):
        shown = list(dict.fromkeys(name for row in self for name in row["metrics"]))
        head = ["name", "method", "data", "MB", *shown]
        rows = [
            [
                row["name"],
                row["method"],
                row["data"],
                f"{row['bytes'] / 1e6:.1f}",
                *(f"{row['metrics'][name]['value']:.4g}" if name in row["metrics"] else "" for name in shown),
            ]
            for row in self
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows)]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [head, *rows])
        return "\n".join(lines)


def index(home=HOME):
    """The index of a folder of models: {name: entry}, sorted by name.

    Raises:
        RequestError: it cannot be read, or an entry is not as SCHEMA says.
    """
    path = pathlib.Path(home) / "index.json"
    try:
        entries = json.loads(path.read_text())["models"]
        items = sorted(entries.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(f"{path}: no index of models ({error})") from error
    for name, entry in items:
        OPTIONS.check(entry, f"{path}, {name}")
        for key, values in SCHEMA.items():
            values.check(entry.get(key), f"{path}, {name}.{key}")
    return dict(items)


def list_models(data=None, method=None, metric=None):
    """The pretrained models.

    Args:
        data: data set that they were trained on, such as "digits"; None for any.
        method: objective, or variant, such as "wasserstein_gp"; None for any.
        metric: name of a metric: only models that have it, the smallest value first.

    Returns:
        `Models`, a list of dicts that prints as a table.
    """
    rows = [{"name": name, **entry} for name, entry in index().items()]
    for key, asked in (("data", data), ("method", method)):
        rows = [row for row in rows if asked in (None, row[key])]
    if metric is not None:
        rows = [row for row in rows if metric in row["metrics"]]
        rows.sort(key=lambda row: row["metrics"][metric]["value"])
    return Models(rows)


def digest(folder):
    """(SHA-256 of all files of a folder with their paths, their size in bytes)."""
    folder, found, size = pathlib.Path(folder), hashlib.sha256(), 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        found.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        found.update(content)
        size += len(content)
    return found.hexdigest(), size


def locate(name, where="name", home=HOME):
    """The folder of a pretrained model's versions, a pathlib.Path, its files checked against the index.

    Raises:
        RequestError: there is no such model, or its files are not those of the index; the message begins with `where`.
    """
    entries = index(home)
    if name not in entries:
        near = difflib.get_close_matches(str(name), entries, 3, 0.4)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join(entries)}"
        raise RequestError(f"{where}: {name!r} is no pretrained model; {hint}")
    folder = pathlib.Path(home, *name.split("/"))
    if digest(folder)[0] != entries[name]["sha256"]:
        raise RequestError(f"{where}: {folder} has another checksum than the index tells of {name!r}; install it anew")
    return folder


def path_of(path, where="path"):
    """`path`, or where it is ``zoo:NAME`` the folder of that model's versions."""
    text = os.fspath(path)
    return locate(text.removeprefix(PREFIX), where) if text.startswith(PREFIX) else path


def load(name):
    """The pretrained generator `name`, a `Pretrained`.

    Raises:
        RequestError: as of `locate`.
    """
    folder = locate(name, "zoo.load")
    return Pretrained(name, folder / str(index()[name]["version"]))


class Pretrained:
    """A pretrained generator.

    Args:
        name: of the model.
        path: directory of its SavedModel, written by `export.saved_model`.

    Attributes:
        card: dict, the model card.
        report: dict, the report that its metrics come from.
    """

    def __init__(self, name, path):
        self.name, self.path = name, pathlib.Path(path)
        self.card = json.loads((self.path / _EXTRA / "model_card.json").read_text())
        self.report = json.loads((self.path / _EXTRA / "report.json").read_text())

    def __repr__(self):
        return f"zoo.load({self.name!r})"

    @functools.cached_property
    def _model(self):
        import tensorflow as tf

        return tf.saved_model.load(os.fspath(self.path))

    @property
    def signatures(self):
        """{name: function} of the SavedModel; the card describes their inputs and outputs."""
        return self._model.signatures

    def _call(self, signature, **inputs):
        (output,) = self.signatures[signature](**inputs).values()
        return output.numpy()

    def sample(self, n, seed=0, label=None):
        """The examples of the seeds `seed`, …, `seed` + n - 1, as `export.sample` draws them.

        Args:
            n: number of examples.
            seed: the first seed.
            label: class of all, its number or its name in the card; the seeds decide if None.

        Returns:
            NumPy uint8 [n, H, W, C], or float32 [n, d].

        Raises:
            RequestError: the generator is not conditional, or has no such class.
        """
        import tensorflow as tf

        seeds = tf.range(seed, seed + n, dtype=tf.int64)
        if label is None:
            return self._call("sample", seeds=seeds)
        return self._call(
            "sample_with_labels", seeds=seeds, labels=tf.fill([n], tf.constant(self._class(label), tf.int64))
        )

    def _class(self, label):
        if "sample_with_labels" not in self.card["signatures"]:
            raise RequestError(f"label: {label!r}; {self.name!r} is not conditional")
        names = self.card.get("class_names") or []
        if label in names:
            return names.index(label)
        whole(0, self.card["num_classes"] - 1).check(label, "label")
        return label

    def interpolate(self, a, b, steps):
        """Examples on the great circle from the latents of one seed to those of another.

        High-dimensional latents lie near a sphere, which a straight line would leave. White 2016, "Sampling
        generative networks", section 2.1.

        Args:
            a, b: seeds.
            steps: number of examples, 2 or more; the first is that of `a`, the last that of `b`.

        Returns:
            NumPy float32 [steps, H, W, C] in [-1, 1], or [steps, d].
        """
        import tensorflow as tf

        one, two = self._call("latents", seeds=tf.constant([a, b], tf.int64)).astype(np.float64)
        cosine = one @ two / (np.linalg.norm(one) * np.linalg.norm(two))
        angle = np.arccos(np.clip(cosine, -1.0, 1.0))
        t = np.linspace(0.0, 1.0, steps)[:, None]
        if angle < 1e-6:  # the same direction, where the formula divides by zero
            latents = (1.0 - t) * one + t * two
        else:
            latents = (np.sin((1.0 - t) * angle) * one + np.sin(t * angle) * two) / np.sin(angle)
        (spec,) = self.signatures["serving_default"].structured_input_signature[1].values()
        return self._call("serving_default", **{spec.name: tf.constant(latents, spec.dtype)})

    def keras_model(self):
        """The generator as a Keras model with its weights, for further work."""
        import keras
        import tensorflow as tf

        network = json.loads((self.path / _EXTRA / "network.json").read_text())
        importlib.import_module(network["module"])  # Keras finds a class that is registered.
        model = keras.saving.deserialize_keras_object(network)
        reader = tf.train.load_checkpoint(os.fspath(self.path / "variables" / "variables"))
        for number, variable in enumerate(model.variables):
            value = reader.get_tensor(_KEY.format("variables", number))
            if value.dtype == np.int16:
                value = value.astype(np.float32) * reader.get_tensor(_KEY.format("scales", number))
            variable.assign(value)
        return model
