"""Toy densities: the points drawn follow the density stated."""

import numpy as np
import pytest
from scipy import stats

import zoo.datasets
from zoo.errors import RequestError


@pytest.mark.parametrize(
    ("source", "modes", "std"), [("ring", 8, 0.02), ("grid", 25, 0.05), ("ring?modes=5&std=1", 5, 1)]
)
def test_gaussian_mixtures(source, modes, std):
    data = zoo.datasets.load(source)
    assert data.modes.shape == (modes, 2) and data.modes.dtype == np.float64 and data.std == std
    assert data.num_classes == modes and data.spec.display_names == tuple(map(str, range(modes)))
    assert data.num_examples("train") is None
    x, y = data.arrays("train", 20_000)
    assert x.dtype == np.float32 and y.dtype == np.int64
    assert stats.chisquare(np.bincount(y, minlength=modes)).pvalue > 1e-4
    noise = (x - data.modes[y]) / std
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-4
    # Oracle: the Gaussian mixture written with SciPy.
    oracle = np.mean([stats.multivariate_normal(m, std**2 * np.eye(2)).pdf(x[:100]) for m in data.modes], axis=0)
    np.testing.assert_allclose(data.log_density(x[:100]), np.log(oracle), rtol=1e-9)


def test_where_the_modes_of_the_literature_are():
    ring, grid = zoo.datasets.load("ring"), zoo.datasets.load("grid")
    np.testing.assert_allclose(np.linalg.norm(ring.modes, axis=1), 2)
    assert set(map(tuple, grid.modes)) == {(a, b) for a in range(-4, 5, 2) for b in range(-4, 5, 2)}


@pytest.mark.parametrize("dim", [1, 2])
def test_uniform(dim):
    data = zoo.datasets.load(f"uniform?dim={dim}")
    assert data.data_shape == (dim,)
    x, y = data.arrays("test", 5000)
    assert y is None and stats.kstest(x.ravel(), stats.uniform(-1, 2).cdf).pvalue > 1e-4
    np.testing.assert_allclose(data.log_density(x), -dim * np.log(2))
    assert np.isneginf(data.log_density(np.full((1, dim), 1.01)))
    with pytest.raises(RequestError, match="labels"):
        data.batches("train", 4, seed=0, labels=True)
    assert data.spec.display_names == ()


def test_two_segments():
    data = zoo.datasets.load("two_segments?offset=0.3")
    x, y = data.arrays("train", 5000)
    np.testing.assert_array_equal(x[:, 0], np.where(y == 1, np.float32(0.3), np.float32(-0.3)))
    assert stats.kstest(x[:, 1], "uniform").pvalue > 1e-4
    assert not data.has_log_density and data.modes is None
    with pytest.raises(RequestError, match="log-density"):
        data.log_density(x)
    assert zoo.datasets.load("two_segments").parameters == {"offset": 0.5}


def test_swiss_roll_without_noise_lies_on_its_spiral():
    x, _ = zoo.datasets.load("swiss_roll?noise=1e-6").arrays("train", 1000)
    radius = 7.5 * np.linalg.norm(x, axis=1)
    assert 1.5 * np.pi <= radius.min() + 1e-3 and radius.max() <= 4.5 * np.pi + 1e-3
    np.testing.assert_allclose(7.5 * x[:, 0], radius * np.cos(radius), atol=1e-3)


def test_streams_differ_by_seed_split_and_batch():
    data = zoo.datasets.load("ring")
    first = [next(iter(data.batches(s, 8, seed=k, start_batch=b))).x.numpy() for s, k, b in
             [("train", 0, 0), ("test", 0, 0), ("train", 1, 0), ("train", 0, 1), ("train", -1, 0)]]  # fmt: skip
    assert len({x.tobytes() for x in first}) == 5
    again = next(iter(zoo.datasets.load("ring").batches("train", 8, seed=0))).x.numpy()
    np.testing.assert_array_equal(first[0], again)
