"""Copies and duplicates of an evaluation: what is counted, and the pairs that a report can show."""

import numpy as np
import pytest
from by_hand import generator_of

from export.evaluation import neighbours
from export.evaluation.context import ImageContext, PointContext


@pytest.fixture
def context(digits, extractor):
    """A generator that gives one training image that the evaluation compares with for the seeds 9 and 12, and noise."""
    images = next(iter(ImageContext(extractor, None, digits, num_samples=50).pixels("train")))

    def sample(seeds):
        drawn = np.stack([np.random.default_rng(seed).integers(256, size=(8, 8, 1), dtype=np.uint8) for seed in seeds])
        drawn[np.isin(seeds, [9, 12])] = images[3]
        return drawn

    return ImageContext(extractor, generator_of(sample, (8, 8, 1)), digits, num_samples=50, first_seed=5)


def test_a_copied_training_image_is_found_and_shown(context):
    first, second, third = neighbours.closest_copies(context)[:3]
    assert [(pair.seed, pair.other, pair.distance) for pair in (first, second)] == [(9, 3, 0.0), (12, 3, 0.0)]
    np.testing.assert_array_equal(first.examples, np.stack([context.training.pixels[3]] * 2))
    assert third.distance > 0.0 and neighbours.copies(context).copied.sum() == 2
    # Noise is further from training images than the data is; honest digits are as near as held-out ones.
    assert neighbours.copies(context).distance_ratio > 1.1
    assert neighbours.copies_among_held_out(context).distance_ratio == pytest.approx(1.0, abs=0.3)


def test_duplicates_are_found_and_shown(context):
    pair = neighbours.closest_duplicates(context)[0]
    assert (pair.seed, pair.other, pair.distance) == (9, 12, 0.0) and pair.examples.shape == (2, 8, 8, 1)
    assert neighbours.duplicates(context, context.samples).support_size == 50 * 49 / 2
    assert neighbours.duplicates(context, context.samples) is neighbours.duplicates(context, context.samples)


def test_pixels_that_are_not_kept_are_not_shown(context):
    context.training.pixels = context.training.pixels[:3]
    assert neighbours.closest_copies(context)[0].examples is None


def test_points_have_duplicates_too(ring):
    points = ring.arrays("train", 40)[0]
    context = PointContext(generator_of(lambda seeds: points[seeds // 2], (2,)), ring, num_samples=60)
    found = neighbours.duplicates(context, context.samples)
    assert found.count >= 30
    assert neighbours.closest_duplicates(context)[0].examples.shape == (2, 2)
