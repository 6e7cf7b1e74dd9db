"""What is evaluated: the generator of a workdir, or of a SavedModel of any origin, and the data to measure it on."""

import dataclasses
import os

from absl import logging

from export import model_card
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
        generator: `export.generators.Generator`.
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


def of_saved_model(path, source=None, image_size=None):
    """The generator of a SavedModel.

    Args:
        path: a version's directory, or a model's: the newest version is taken.
        source: data to measure against, as of `zoo.datasets.load`; what the model card names if None.
        image_size: side that the data's images are resized to; the generator's own if None.

    Raises:
        RequestError: there is no such model or data.
    """
    path = find_saved_model(path)
    card = cards.read(path)
    data = _open_data(source, image_size, card)
    program.start_tensorflow()
    generator = Generator.load(path)
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


def _subject(generator, data, described, where, **known):
    described |= {
        "data_shape": list(generator.data_shape),
        "latent_dim": generator.latent_dim,
        "parameters": generator.parameters,
    }
    if generator.labels is not None:
        described["told_labels"] = True
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
        spec = datasets.DataSpec(tuple(card["data_shape"]), card.get("num_classes"), card.get("class_names"))
        return _untrained(ml_collections.ConfigDict(config), spec)
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
