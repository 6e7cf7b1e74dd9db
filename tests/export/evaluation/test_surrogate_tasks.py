"""Imputation and denoising in an evaluation, of a generator whose range is known."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from by_hand import generator_of

from export.evaluation import image_metrics
from export.evaluation.context import ImageContext
from export.evaluation.metric import measure
from zoo.pixels import to_float

_NAMES = ("imputation_gain", "denoising_gain")


@pytest.fixture(scope="module")
def plane(digits):
    """A generator of the plane of the digits' first eight principal components, with their spread."""
    images = digits.arrays("train")[0].reshape(-1, 64)
    mean = images.mean(axis=0)
    _, spread, directions = np.linalg.svd(images - mean, full_matrices=False)
    weights = (spread[:8, None] * directions[:8] / np.sqrt(len(images))).astype(np.float32)

    def tensors(latents):
        return tf.reshape(latents @ weights + mean, (-1, 8, 8, 1))

    def sample(seeds):
        return np.zeros((len(seeds), 8, 8, 1), np.uint8)

    return dataclasses.replace(generator_of(sample, (8, 8, 1), latent_dim=8), tensors=tensors)


def test_the_tasks_are_measured_where_they_are_asked_for(plane, digits, extractor):
    rows = [row for row in image_metrics.METRICS if row.name in _NAMES]

    def measured(generator, **options):
        context = ImageContext(extractor, generator, digits, num_samples=80, **options)
        return measure(context, rows)

    assert not measured(plane) and not measured(dataclasses.replace(plane, tensors=None), surrogate_tasks=True)
    metrics = measured(plane, surrogate_tasks=True)
    # Principal components tell of a digit's middle by its margin, and hold less noise than pixels do.
    for name, least in zip(_NAMES, (0.3, 2.0)):
        entry = metrics[name]
        assert least < entry["interval"][0] < entry["value"] < entry["interval"][1], name
        assert entry["num_reference"] == 64 and "real" not in entry
    # The mean training image in the place of the middle alone.
    read = ImageContext(extractor, plane, digits, num_samples=80)
    training, held_out = (to_float(images.pixels)[:, 2:6, 2:6] for images in (read.training, read.held_out))
    errors = np.square(held_out[:64] - training.mean(axis=0)).mean(axis=(1, 2, 3))
    assert f"less {(10 * np.log10(4 / errors)).mean():.4g}." in metrics["imputation_gain"]["about"]
    # Noise of standard deviation 0.5 against a range of 2: 10 log₁₀(4 / 0.25) = 12.04, a little more on average.
    assert "less 12." in metrics["denoising_gain"]["about"]
    blank = dataclasses.replace(plane, tensors=lambda latents: 0.0 * plane.tensors(latents) - 1.0)
    assert all(entry["value"] < 0.0 for entry in measured(blank, surrogate_tasks=True).values())
