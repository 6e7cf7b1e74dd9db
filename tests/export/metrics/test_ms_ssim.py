"""MS-SSIM against Wang et al.'s formula in NumPy, and the pairs it is taken of."""

import numpy as np
import pytest
import scipy.signal

from export.metrics import ms_ssim


def _numpy_ms_ssim(x, y, weights, window):
    """Wang et al. 2003, equation 7, in float64, of one channel."""
    offsets = np.arange(window) - (window - 1) / 2
    kernel = np.exp(-(offsets**2) / (2 * 1.5**2))
    kernel = np.outer(kernel, kernel) / kernel.sum() ** 2
    first, second = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def blur(image):
        return scipy.signal.convolve2d(image, kernel, mode="valid")

    result = 1.0
    for scale, weight in enumerate(weights):
        mean_x, mean_y = blur(x), blur(y)
        contrast = (2 * (blur(x * y) - mean_x * mean_y) + second) / (
            blur(x * x) - mean_x**2 + blur(y * y) - mean_y**2 + second
        )
        if scale == len(weights) - 1:
            contrast = contrast * (2 * mean_x * mean_y + first) / (mean_x**2 + mean_y**2 + first)
        result *= max(0.0, contrast.mean()) ** weight
        x, y = (each.reshape(len(each) // 2, 2, -1, 2).mean(axis=(1, 3)) for each in (x, y))
    return result


@pytest.mark.parametrize("side, channels", [(8, 1), (28, 3), (64, 1)])
def test_the_formula(side, channels):
    rng = np.random.default_rng(side)
    images = rng.integers(256, size=(3, side, side, channels), dtype=np.uint8)
    others = np.clip(images + 40.0 * rng.normal(size=images.shape), 0, 255).astype(np.uint8)
    weights = ms_ssim.scales((side, side))
    expected = [
        np.mean(
            [
                _numpy_ms_ssim(x[..., c].astype(float), y[..., c].astype(float), weights, min(11, side))
                for c in range(channels)
            ]
        )
        for x, y in zip(images, others)
    ]
    # TensorFlow computes in float32: 2e-4.
    np.testing.assert_allclose(ms_ssim.ms_ssim(images, others), expected, rtol=2e-4)
    np.testing.assert_allclose(ms_ssim.ms_ssim(images, images), 1.0, rtol=1e-6)


def test_scales_by_size():
    sizes = {8: 1, 21: 1, 22: 2, 28: 2, 32: 2, 43: 2, 44: 3, 64: 3, 88: 4, 128: 4, 176: 5, 1024: 5}
    assert {side: len(ms_ssim.scales((side, side + 3, 3))) for side in sizes} == sizes
    np.testing.assert_allclose(ms_ssim.scales((64, 64)), np.array([0.0448, 0.2856, 0.3001]) / 0.6305, rtol=1e-12)
    assert sum(ms_ssim.scales((512, 512))) == pytest.approx(1.0)


def test_pairs_are_of_one_class_and_share_no_image():
    labels = np.random.default_rng(0).integers(4, size=101)
    pairs = ms_ssim.random_pairs(101, labels, seed=1)
    assert 49 - 4 < len(pairs) <= 50 and len(np.unique(pairs)) == pairs.size
    np.testing.assert_array_equal(labels[pairs[:, 0]], labels[pairs[:, 1]])
    free = ms_ssim.random_pairs(100, limit=30, seed=1)
    assert free.shape == (30, 2) and len(np.unique(free)) == 60
    assert (labels[free[:, 0]] != labels[free[:, 1]]).any()
    assert not np.array_equal(free, ms_ssim.random_pairs(100, limit=30, seed=2))
    assert ms_ssim.random_pairs(3, np.arange(3)).shape == (0, 2)
