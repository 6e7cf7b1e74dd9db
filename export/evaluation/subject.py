"""What is evaluated, and the data to measure it on: the generator of a workdir, or of a SavedModel of any origin, or
samples that another tool made."""

import dataclasses
import os

from absl import logging

from export import model_card
from export.evaluation import given_samples
from export.generators import Generator
from trainers import former, program
from zoo import datasets
from zoo.errors import RequestError
from zoo.pretrained import cards, find_saved_model

#: Pictures of samples over the steps that a report shows.
_STEPS = 6
_FACTS = ("objective", "dynamics", "step", "images_seen", "seed", "config", "config_schema_version")


@dataclasses.dataclass
class Subject:
    """A generator, the data to measure it on, and what is known of it.

    Attributes:
        generator: `export.generators.Generator`, or `export.evaluation.given_samples.GivenSamples` in its place.
        data: `zoo.datasets.Dataset`.
        described: dict, a report's "generator" (`export.report`).
        where: what a message calls the generator.
        untrained: `Generator` before its first step; None where that is not known.
        run: the `trainers.build.Run` that it is from; None for a SavedModel.
        log: rows of the run's metrics.jsonl.
        steps: {step: encoded PNG} of samples that the run drew, a few of them.
    """

    generator: Generator
    data: object
    described: dict
    where: str
    untrained: Generator | None = None
    run: object = None
    log: list = dataclasses.field(default_factory=list)
    steps: dict = dataclasses.field(default_factory=dict)


def of_workdir(workdir):
    """The averaged generator of a workdir's newest checkpoint, and the data that it was trained on.

    Raises:
        RequestError: the workdir holds no run, or its data is not there any more.
    """
    from trainers import build
    from trainers import workdir as workdirs

    log = workdirs.read_metrics(workdir)
    program.start_tensorflow()
    run = build.open_run(workdir)
    data, model, shape = run.data, run.model, run.data_shape
    facts = model_card.run_facts(run)
    return _subject(
        Generator.of_sampler(model.sampler, model.latent_dim, shape),
        data,
        {"origin": "workdir", "path": os.fspath(run.workdir), **{key: facts[key] for key in _FACTS}},
        f"--workdir: {workdir}",
        untrained=_untrained(run.config, run.spec),
        run=run,
        log=log,
        steps=workdirs.drawn(run.workdir, _STEPS, up_to=int(model.step)),
    )


def of_saved_model(path, source=None, image_size=None, signature=None):
    """The generator of a SavedModel.

    Args:
        path: a version's directory, or a model's: the newest version is taken.
        source: data to measure against, as of `zoo.datasets.load`; what the model card names if None.
        image_size: side that the data's images are resized to; the generator's own if None.
        signature: as of `export.generators.Generator.load`.

    Raises:
        RequestError: there is no such model or data.
    """
    path = find_saved_model(path)
    card = cards.read(path)
    data = _open_data(source, image_size, card)
    program.start_tensorflow()
    generator = Generator.load(path, signature=signature)
    if data.data_shape != tuple(generator.data_shape) and image_size is None and len(generator.data_shape) == 3:
        height, _, channels = generator.data_shape
        data = datasets.load(data.name, image_size=height, channels=channels)
    return _subject(
        generator,
        data,
        {"origin": "saved_model", "path": os.fspath(path), **{key: card[key] for key in _FACTS if key in card}},
        f"--saved_model: {path}",
        untrained=_untrained_of(card),
    )


def of_samples(path, source, image_size=None):
    """Samples that another tool made.

    Args:
        path: a folder of images, or an .npz, .npy or .csv file (`export.evaluation.given_samples`).
        source: data to measure against, as of `zoo.datasets.load`.
        image_size: side that the samples and the data's images are resized to; None leaves both as they are, but the
            images of a folder, which have no size of their own, take the samples'.

    Raises:
        RequestError: there are no such samples or data, or they do not fit each other.
    """
    if source is None:
        raise RequestError("--data: missing; --samples are measured against data, such as --data=folder:DIR")
    of_folder = source.startswith("folder:")
    data = None if of_folder else datasets.load(source, image_size=image_size)
    samples = given_samples.load(path, image_size)
    if of_folder:
        data = datasets.load(source, **_as_samples(samples, source, image_size))
    samples = samples.matched(data)
    program.start_tensorflow()
    return _subject(samples, data, {"origin": "samples", "path": os.fspath(path)}, samples.where)


def _as_samples(samples, source, image_size):
    """How a folder's images are read: as the samples are stored, where nothing else was asked."""
    shape = samples.data_shape
    if len(shape) != 3:
        raise RequestError(f"{samples.where}: points, and {source!r} has images; expected images [N, H, W, C]")
    if image_size is None and shape[0] != shape[1]:
        raise RequestError(
            f"{samples.where}: images of {shape[0]}×{shape[1]} pixels, and those of {source!r} are cropped to squares; "
            "--image_size=PIXELS crops and resizes both alike"
        )
    return {"image_size": shape[0], "channels": shape[2]}


def _subject(generator, data, described, where, **known):
    described["data_shape"] = list(generator.data_shape)
    for key in ("latent_dim", "parameters"):
        if getattr(generator, key) is not None:
            described[key] = getattr(generator, key)
    if generator.labels is not None:
        described["told_labels"] = True
    if generator.captions is not None:
        described["told_captions"] = True
    return Subject(generator, data, described, where, **known)


def _untrained(config, spec):
    """The generator that a run of this config starts from: its first weights are a function of the config."""
    from trainers import build

    model = build.build(config, spec=spec).model
    return Generator.of_sampler(model.sampler, model.latent_dim, spec.data_shape)


def _untrained_of(card):
    """The same from a model card; None where the card has no config, or one of another release of this package."""
    if "config" not in card:
        return None
    import ml_collections

    try:
        config = former.upgrade(card["config"], card.get("config_schema_version", 1))
        return _untrained(ml_collections.ConfigDict(config), datasets.DataSpec.of(card))
    except (RequestError, AttributeError, KeyError, TypeError, ValueError) as error:
        logging.warning("No untrained generator to compare with: the model card's config does not build (%s)", error)
        return None


def _open_data(source, image_size, card):
    """The data that was asked for, or that the card names; prepared as for the run where nothing else was asked."""
    trained_on = card.get("config", {}).get("data", {})
    if source is None:
        if not trained_on:
            raise RequestError("--data: missing; this model's card does not tell what it was trained on")
        source = trained_on["source"]
    shape = card.get("data_shape", ())
    channels = shape[2] if len(shape) == 3 else None
    if image_size is None and len(shape) == 3:
        image_size = shape[0]
    options = {key: trained_on[key] for key in ("on_corrupt", "data_dir") if source == trained_on.get("source")}
    return datasets.load(source, image_size=image_size, channels=channels, **options)
