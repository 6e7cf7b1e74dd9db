"""PSNR and SSIM against implementations by hand, and the bicubic baseline against Pillow."""

import numpy as np
import pytest
from PIL import Image

from export.metrics.restoration import bicubic, low_resolution, psnr, ssim


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, [3, 16, 12, 3], np.uint8)
    return images, np.clip(images + rng.normal(0, 20, images.shape), 0, 255).astype(np.uint8)


def test_psnr_is_that_of_its_definition(pair):
    images, noisy = pair
    found = psnr(noisy, images)
    expected = [20 * np.log10(255 / np.sqrt(np.mean((a.astype(float) - b) ** 2))) for a, b in zip(*pair)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # One component off by one, and none.
    nearly = images.copy()
    nearly[:, 3, 4, 1] ^= 1
    np.testing.assert_allclose(psnr(nearly, images), 10 * np.log10(255**2 * 16 * 12 * 3), rtol=1e-12)
    np.testing.assert_array_equal(psnr(images, images), psnr(nearly, images))


def ssim_by_hand(a, b, window):
    """Wang et al. 2004, equations 13 to 16, of one channel: weighted moments of each window, one after the other."""
    offsets = np.arange(window) - (window - 1) / 2
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2, values = (0.01 * 255) ** 2, (0.03 * 255) ** 2, []
    for y in range(a.shape[0] - window + 1):
        for x in range(a.shape[1] - window + 1):
            p, q = (image[y : y + window, x : x + window].astype(float) for image in (a, b))
            mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
            variances = [(weights * (each - mean) ** 2).sum() for each, mean in ((p, mean_p), (q, mean_q))]
            covariance = (weights * (p - mean_p) * (q - mean_q)).sum()
            luminance = (2 * mean_p * mean_q + c1) / (mean_p**2 + mean_q**2 + c1)
            values.append(luminance * (2 * covariance + c2) / (sum(variances) + c2))
    return np.mean(values)


@pytest.mark.parametrize("side, window", [(16, 11), (8, 8)])
def test_ssim_is_that_of_its_equations(pair, side, window):
    # The last one is dark, where the constants matter.
    images, noisy = (each[:, :side, :side] // [[[[1]]], [[[4]]], [[[60]]]] for each in pair)
    images, noisy = images.astype(np.uint8), noisy.astype(np.uint8)
    found = ssim(noisy, images)
    expected = [np.mean([ssim_by_hand(a[..., c], b[..., c], window) for c in range(3)]) for a, b in zip(images, noisy)]
    # In float32, of differences of squares up to 255².
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    np.testing.assert_allclose(ssim(images, images), 1.0, rtol=1e-6)


def test_the_baseline_is_pillows(pair):
    images, _ = pair
    small = low_resolution(images)
    assert small.dtype == np.uint8 and small.shape == (3, 4, 3, 3)
    larger = bicubic(small)
    for image, down, up in zip(images, small, larger):
        # Pillow rounds bytes between its two passes.
        np.testing.assert_allclose(np.int64(down), np.asarray(Image.fromarray(image).resize((3, 4), 3)), atol=1)
        np.testing.assert_allclose(np.int64(up), np.asarray(Image.fromarray(down).resize((12, 16), 3)), atol=1)
