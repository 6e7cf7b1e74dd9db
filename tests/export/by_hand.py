"""Generators without networks or without training, and reports without runs."""

import dataclasses

import keras
import numpy as np

import zoo
from export.generators import Generator
from export.report import document
from export.report.writer import write
from export.saved_model import export_saved_model


def generator_of(sample, data_shape, latent_dim=2):
    """A `Generator` whose samples are those of a function of seeds."""
    return Generator(sample, lambda latents: np.zeros([len(latents), *data_shape]), latent_dim, data_shape, 0)


def labelled_generator():
    """An 8×8 generator of three classes, one of them rare, whose outputs fill the range."""
    keras.utils.set_random_seed(0)
    generator = zoo.ConditionalGenerator((8, 8, 1), 3, "dcgan", {"latent_dim": 4, "base_filters": 4}, 4)
    for variable in generator.variables:
        if "kernel" in variable.path:
            variable.assign(variable * 8.0)
    generator.set_label_shares([0.1, 0.3, 0.6])
    return generator


def export_labelled(generator, base):
    """Writes a version of `labelled_generator` whose model card names the classes; its directory."""
    card = {"class_names": ["shirt", "bag", "boot"]}
    return export_saved_model(generator, 5, (8, 8, 1), base, "labelled", card=card)


def captioned_generator():
    """A 32×32 generator of captions, those of `shapes`."""
    keras.utils.set_random_seed(0)
    data = zoo.datasets.load("shapes")
    small = {"noise_dim": 3, "condition_dim": 2, "blocks": 0, "base_filters": 2, "text_units": 4}
    generator = zoo.StackedGenerator(data.data_shape, **small, **zoo.StackedGenerator.facts(data.spec))
    generator.adapt(data)
    return generator


def export_captioned(generator, base, **options):
    """Writes a version of `captioned_generator`; its directory."""
    card = {"vocabulary": generator.vocabulary, "caption_words": generator.caption_words}
    shape = generator.data_shape
    return export_saved_model(generator, generator.latent_dim, shape, base, "captioned", card=card, **options)


def labelled_generator_of(sample_with_labels, labels, data_shape):
    """One that is told labels: samples a function of seeds and labels, labels one of seeds where none are given."""
    return dataclasses.replace(
        generator_of(lambda seeds: sample_with_labels(seeds, labels(seeds)), data_shape),
        labels=labels,
        sample_with_labels=sample_with_labels,
    )


def write_report(measured, data, tmp_path, rows=(), **generator):
    """Writes the report on an evaluation; the path of report.html."""
    described = {"origin": "workdir", "path": "runs/one", "parameters": 7, "latent_dim": 2, **generator}
    report = document.compose(measured, generator=described, data=data, num_asked=1000, first_seed=0, seeded=True)
    return write(report, measured, list(rows), tmp_path / "report")
