"""Restoration through a generator's range against the closed form of a linear generator."""

import numpy as np
import pytest
import tensorflow as tf

from export.metrics import inversion


@pytest.fixture(scope="module")
def linear():
    """(weights [z, pixels], offset, the generator of them)."""
    rng = np.random.default_rng(0)
    weights, offset = 0.3 * rng.normal(size=(3, 16)), 0.2 * rng.normal(size=16)

    def generate(latents):
        made = latents @ tf.constant(weights, tf.float32) + tf.constant(offset, tf.float32)
        return tf.reshape(made, (-1, 4, 4, 1))

    return weights, offset, generate


def test_what_is_hidden_is_the_linear_generators_best_fit(linear):
    weights, offset, generate = linear
    rng = np.random.default_rng(1)
    images = (rng.normal(size=(5, 3)) @ weights + offset + 0.05 * rng.normal(size=(5, 16))).reshape(5, 4, 4, 1)
    mask = inversion.hidden_centre((4, 4, 1))
    spoilt = np.where(mask, images, 9.0).astype(np.float32)
    found = inversion.restore(generate, 3, spoilt, mask, 0.3, steps=300)
    # The posterior's mode is that of a ridge regression on the pixels that are seen.
    seen = weights * mask.ravel()
    latents = np.linalg.solve(seen @ weights.T / 0.09 + np.eye(3), seen @ (images.reshape(5, 16) - offset).T / 0.09).T
    # Adam ends at the minimum to about 1e-3 of an image's range.
    np.testing.assert_allclose(found.reshape(5, 16), latents @ weights + offset, atol=2e-3)


def test_the_better_start_counts():
    # Two valleys: at z = 1 an exact fit, at z = -1 a poor one.
    def generate(latents):
        hump = tf.where(latents > 0.0, 1.0 - tf.square(latents - 1.0), 0.5 - tf.square(latents + 1.0))
        return tf.reshape(hump, (-1, 1, 1, 1))

    target = np.ones((20, 1, 1, 1), np.float32)
    one, many = (inversion.restore(generate, 1, target, np.ones((1, 1, 1)), 0.05, starts=starts) for starts in (1, 8))
    assert (one < 0.6).any() and many.min() > 0.95


def test_the_middle_is_hidden_and_the_psnr_is_of_it_alone():
    mask = inversion.hidden_centre((8, 6, 3))
    assert (1 - mask).sum() == 4 * 3 * 3 and not mask[2:6, 1:4].any()
    images, originals = np.zeros((2, 8, 6, 3)), np.zeros((2, 8, 6, 3))
    images[0, 2:6, 1:4] = 0.2
    images[1, 0, 0] = 1.0
    found = inversion.psnr_where(images, originals, 1 - mask)
    assert found[0] == pytest.approx(10 * np.log10(4 / 0.04)) and found[1] == pytest.approx(20 * np.log10(510))
