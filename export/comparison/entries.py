"""What a table of comparison keeps of one report."""

import dataclasses
import json
import os
import re

from absl import logging
from etils import epath

from trainers import objectives, program
from trainers import workdir as workdirs
from zoo.errors import RequestError
from zoo.pretrained import cards, find_saved_model
from zoo.pretrained.networks import EXTRA

#: What a config may differ in while its run is the same.
_OF_THE_MACHINE = (
    "log_every",
    "checkpoint_every",
    "keep_checkpoints",
    "sample_every",
    "steps_per_execution",
    "jit_compile",
)
_FEATURES = ("name", "version", "checksum", "test_accuracy")


@dataclasses.dataclass
class Entry:
    """One report: a generator, or samples, measured on one data set.

    Attributes:
        method: objective, dynamics and techniques, in words; the name of its folder or file where they are not known.
        networks: families of the networks, in words; "" where they are not known.
        data: the report's "data".
        features: {name, version, checksum, test_accuracy} of the extractor; None for points.
        num_samples, num_reference: as in the report's "sampling".
        seed, steps, images_seen, seconds: of the training, each None where it is not known.
        metrics: the report's "metrics".
        config: the run's, without what is of the machine alone; None where it is not known.
        report: path of the report's folder; None of an entry that was read from a table.
        provenance: why the numbers are less than a report's, a clause; None for a report's.
    """

    method: str
    networks: str
    data: dict
    num_samples: int
    num_reference: int | None
    metrics: dict
    features: dict | None = None
    seed: int | None = None
    steps: int | None = None
    images_seen: int | None = None
    seconds: int | None = None
    config: dict | None = None
    provenance: str | None = None
    report: str | None = None

    def to_json(self):
        """The entry without its path, a dict of JSON values for `from_json`; what is not known is left out."""
        kept = {key: value for key, value in dataclasses.asdict(self).items() if value is not None}
        kept.pop("report", None)
        return kept

    @classmethod
    def from_json(cls, values):
        return cls(**values)

    @property
    def restores(self):
        """Whether it makes images of low-resolution ones."""
        return "psnr" in self.metrics

    @property
    def comparable(self):
        """What entries of one table share, a text."""
        # Not the version: a classifier that was trained anew has another checksum.
        features = self.features and [self.features.get(key) for key in ("name", "checksum", "test_accuracy")]
        data = [self.data.get(key) for key in ("source", "data_shape", "num_classes", "num_train", "num_test")]
        return json.dumps([*data, self.restores, features, self.num_samples, self.num_reference])

    @property
    def same_but_for_the_seed(self):
        """What entries of one row share, among those of one table: a hashable value."""
        if self.config is None:
            # Runs that are told apart by their seeds alone; anything else stands for itself.
            by_seed = self.method, self.networks, self.steps, self.provenance
            return by_seed if self.seed is not None else (*by_seed, self.report)
        config = {key: value for key, value in self.config.items() if key != "seed"}
        return self.method, self.networks, self.steps, json.dumps(config, sort_keys=True)


def of_workdir(path):
    """The entry of a run's report.

    Raises:
        RequestError: there is no run, or no report of it; the message says how to make it.
    """
    path = epath.Path(path)
    workdirs.read_config(path)
    folder = path / "report"
    if not (folder / "report.json").exists():
        raise RequestError(
            f"--workdirs: {path} has no report; make it with python -m export.evaluate --workdir={path}, "
            "or give --evaluate"
        )
    entry = of_report(folder, "--workdirs")
    newest = max(workdirs.checkpoint_steps(path / "checkpoints"), default=entry.steps)
    if newest != entry.steps:
        logging.warning("%s: its report is of step %s, its newest checkpoint of step %s", path, entry.steps, newest)
    entry.seconds = _seconds(workdirs.read_metrics(path), entry)
    return entry


def of_saved_model(path):
    """The entry of the report that lies in an exported model.

    Raises:
        RequestError: there is no model, or no report in it; the message says how to make one.
    """
    version = find_saved_model(path, "--saved_models")
    folder = version / EXTRA
    if not (folder / "report.json").exists():
        raise RequestError(
            f"--saved_models: {path} has no report; make it with python -m export.evaluate --saved_model={path} "
            "--out=DIR and give --reports=DIR, or give --evaluate"
        )
    entry = of_report(folder, "--saved_models")
    if entry.config is None:
        entry.method = cards.read(version).get("name") or _name_of(path)
    return entry


def of_report(folder, where="--reports"):
    """The entry of a report.

    Args:
        folder: the directory with its report.json, or that file.
        where: name of the path in messages.

    Raises:
        RequestError: there is no report, or it is none of `export.report`.
    """
    folder = epath.Path(folder).expanduser()
    folder = folder.parent if folder.name == "report.json" else folder
    path = folder / "report.json"
    if not path.exists():
        raise RequestError(f"{where}: {folder} holds no report.json")
    try:
        report = json.loads(path.read_text())
        return _of(report, os.fspath(folder))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{where}: {path} is no report of export.evaluate ({type(error).__name__}: {error})"
        ) from error


def _of(report, folder):
    generator, sampling = report["generator"], report["sampling"]
    config = generator.get("config")
    source = plain_source(report["data"]["source"])
    known = report.get("features")
    entry = Entry(
        method=_name_of(generator["path"]),
        networks="",
        data={**report["data"], "source": source},
        features=known and {key: known.get(key) for key in _FEATURES},
        num_samples=sampling["num_samples"],
        num_reference=sampling["num_reference"],
        metrics={name: dict(metric) for name, metric in report["metrics"].items()},
        seed=generator.get("seed"),
        steps=generator.get("step"),
        images_seen=generator.get("images_seen"),
        report=folder,
    )
    if config is not None:
        entry.method, entry.networks = _method(config, generator.get("told_labels", False)), _networks(config)
        train = {key: value for key, value in config["train"].items() if key not in _OF_THE_MACHINE}
        entry.config = {**config, "train": train, "data": {**config["data"], "source": source}}
    return entry


def plain_source(source):
    """A source of data without the place where it lies: the images of a folder are the same wherever that is."""
    return re.sub("^(folder|idx):.*/(?=[^/]+/?$)", r"\1:", source).rstrip("/")


def _name_of(path):
    path = epath.Path(path)
    # A version's number is no name.
    return path.parent.name if path.name.isdecimal() and path.parent.name else path.name


def _method(config, told_labels):
    dynamics = "" if config.get("dynamics", "alternating") == "alternating" else f"+{config['dynamics']}"
    parts = [name for name, options in config.get("techniques", {}).items() if options.get("weight")]
    components = config.get("mixture", {}).get("components", 1)
    parts += [f"mixture of {components}"] if components > 1 else []
    return ", ".join([f"{config['objective']}{dynamics}", *["conditional"] * bool(told_labels), *parts])


def _networks(config):
    families = dict.fromkeys(config.get(player, {}).get("family") for player in ("generator", "critic"))
    families = [*filter(None, families)]
    if len(families) > 1 and config["objective"] in objectives.METHODS.names():
        # Only then is it worth the seconds to ask whether there is a critic at all: objectives import TensorFlow.
        program.start_tensorflow()
        if "critic" not in objectives.METHODS.load(config["objective"]).configured:
            families = families[:1]
    return ", ".join(families)


def _seconds(rows, entry):
    """Seconds of training by the speed that was logged; None where it was not."""
    rows = [row for row in rows if "images_per_second" in row and row["step"] <= (entry.steps or 0)]
    if not rows or not entry.images_seen:
        return None
    # Steps between two lines, at the speed of the second.
    steps, images = [0, *(row["step"] for row in rows)], entry.images_seen / entry.steps
    pieces = zip(steps, steps[1:], rows)
    return round(sum((step - before) * images / row["images_per_second"] for before, step, row in pieces))
