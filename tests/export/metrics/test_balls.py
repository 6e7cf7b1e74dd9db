"""Counts of points in balls against distances by differences in float64, whichever precision finds the near pairs."""

import dataclasses

import numpy as np
import pytest

from export.metrics import balls, near_pairs
from export.metrics.distance_bounds import BFloat16, Bounds, Float32, faster_precision

PRECISIONS = [Float32, BFloat16]


def _squared(x, y):
    return np.square(x[:, None].astype(np.float64) - y).sum(axis=-1)


def _expected(real, samples, j, k):
    """`Counts` from all distances."""
    within, of_samples, between = _squared(real, real), _squared(samples, samples), _squared(real, samples)
    np.fill_diagonal(within, np.inf)
    np.fill_diagonal(of_samples, np.inf)
    small, large = np.sort(within, axis=1)[:, j - 1], np.sort(within, axis=1)[:, k - 1]
    clipped = np.minimum(large, np.median(large))
    return balls.Counts(
        (between <= small[:, None]).any(0),
        (between <= np.sort(of_samples, axis=1)[:, j - 1]).any(1),
        (between <= large[:, None]).sum(0),
        (between <= large[:, None]).sum(1),
        (between <= clipped[:, None]).sum(0),
        (within <= clipped[:, None]).sum(0),
    )


def _assert_same(found, expected):
    for field in dataclasses.fields(balls.Counts):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(expected, field.name), err_msg=field.name)


def _of_few(real, samples, j, k, precision):
    """By near pairs, however many."""
    search = near_pairs.Search(Bounds([real, samples], precision))
    search._budget = np.inf
    return balls._of_few(search, len(real), len(samples), j, k)


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of 16 points, so that few points take many."""
    for module in ("distance_bounds", "near_pairs"):
        monkeypatch.setattr(f"export.metrics.{module}.TILE", 16)


def _sets(kind):
    rng = np.random.default_rng(0)
    real, samples = rng.normal(size=(150, 12)), 0.3 + 0.9 * rng.normal(size=(110, 12))
    if kind == "float32":
        return real.astype(np.float32), samples.astype(np.float32)
    if kind == "far":  # 1e4 spreads from the origin, where float32 has three digits of the spread left
        return real + 1e4, samples + 1e4
    if kind == "large":
        return 1e100 * real, 1e100 * samples
    if kind == "small":
        return 1e-100 * real, 1e-100 * samples
    if kind == "an outlier":
        real[3] *= 1e3
        return real, samples
    if kind == "lattice":  # whole numbers: most distances are those of other pairs too
        return np.rint(real).astype(np.float32), np.rint(samples).astype(np.float32)
    if kind == "copies":  # radii of 0 among data; samples that are data, each at the distance of a radius
        return np.concatenate([real, real[:70], real[:70]]), np.concatenate([samples, real[:90]])
    return real, samples


@pytest.mark.parametrize("kind", ["plain", "float32", "far", "large", "small", "an outlier", "lattice", "copies"])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("j, k", [(5, 5), (2, 4), (4, 1)])
def test_counts_are_those_of_all_distances(kind, precision, j, k, small_tiles):
    real, samples = _sets(kind)
    scale = {"large": 1e-100, "small": 1e100}.get(kind, 1.0)
    _assert_same(_of_few(real, samples, j, k, precision), _expected(scale * real, scale * samples, j, k))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_whole_tiles_and_their_rest(precision):
    rng = np.random.default_rng(1)
    real, samples = rng.normal(size=(1030, 8)), rng.normal(size=(600, 8))
    _assert_same(_of_few(real, samples, 3, 5, precision), _expected(real, samples, 3, 5))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_more_neighbours_than_a_tile_has(precision, small_tiles):
    real, samples = _sets("plain")
    _assert_same(_of_few(real, samples, 20, 40, precision), _expected(real, samples, 20, 40))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_difference_in_the_last_bit_decides(precision):
    # On a line each point's nearest is at 1; samples are at the radius, and a bit inside and outside.
    real = np.arange(0.0, 40.0)[:, None] * [[1.0, 0.0]]
    beside = np.array([1.0, np.nextafter(1.0, 0.0), np.nextafter(1.0, 2.0)])
    samples = np.stack([real[:3, 0] * 10.0 + 5.0, beside], axis=1)
    found = _of_few(real, samples, 1, 1, precision)
    np.testing.assert_array_equal(found.sample_in_data, [True, True, False])
    np.testing.assert_array_equal(found.around_sample, [1, 1, 0])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_few_pairs_of_wide_features_are_measured(precision, monkeypatch):
    measured = []
    exact = Bounds.exact
    monkeypatch.setattr(Bounds, "exact", lambda self, *pairs: measured.append(len(pairs[1])) or exact(self, *pairs))
    rng = np.random.default_rng(2)
    spread = 1.0 / np.sqrt(1.0 + np.arange(256))
    real, samples = (np.float32(rng.normal(size=(1500, 256)) * spread) for _ in range(2))
    _of_few(real, samples, 5, 5, precision)
    # Of 4.5 million pairs; at least the five nearest of each point are.
    assert 15_000 <= sum(measured) < 17_000


@pytest.mark.parametrize("precision", PRECISIONS)
def test_bounds_hold_and_are_near(precision):
    rng = np.random.default_rng(3)
    # Far from the origin, on which no distance depends.
    x, y = 50.0 + np.exp(rng.normal(size=(200, 300))), 50.5 + rng.normal(size=(90, 300))
    x[7] = y[7]
    bounds = Bounds([x, y], precision)
    rows, columns = np.divmod(np.arange(200 * 90), 90)
    lower, upper = bounds.ends(bounds.tile(0, 0, 1, 0).ravel(), 0, rows, 1, columns)
    exact = bounds.exact(0, rows, 1, columns)[0]
    np.testing.assert_allclose(exact, _squared(x, y).ravel() * bounds.scale, rtol=1e-13)
    assert np.all(lower <= exact) and np.all(exact <= upper) and exact[7 * 90 + 7] == 0.0
    assert np.median(upper[exact > 0.0] / lower[exact > 0.0]) < (1.002 if precision is Float32 else 1.05)
    # A pair passes a limit at its own distance, and does not at half its lower bound.
    codes = bounds.tile(0, 0, 1, 0).ravel()
    assert np.all(codes <= bounds.limit(exact))
    far = lower > 0.0
    assert not np.any(codes[far] <= bounds.limit(lower[far] / 2.0))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3])
@pytest.mark.parametrize("distance", [1.0, 1e-12])
def test_differences_in_float32_hold_and_are_nearer(scale, distance):
    rng = np.random.default_rng(6)
    x = np.float32(scale * np.exp(rng.normal(size=(300, 500))))
    y = np.float32(x[:, :] + distance * scale * rng.normal(size=x.shape))
    bounds = Bounds([x, y], Float32)
    (differences, width), (exact, _) = bounds.closer
    rows = np.arange(300)
    lower, upper = differences(0, rows, 1, rows)
    expected = exact(0, rows, 1, rows)[0]
    assert np.all(lower <= expected) and np.all(expected <= upper)
    far = expected > 1e-12
    assert np.all(upper[far] * (1.0 - width) <= lower[far]) and width < 1e-4
    assert far.all() == (distance == 1.0)


def test_float32_takes_no_differences_that_it_does_not_hold():
    x = np.arange(12.0).reshape(3, 4)
    assert len(Bounds([np.float32(x), np.float32(x)], Float32).closer) == 2
    for sets in ([x, np.float32(x)], [np.float32(1e9 * x)], [np.float32(1e-9 * x)]):
        assert len(Bounds(sets, Float32).closer) == 1


@pytest.mark.parametrize("precision", PRECISIONS)
def test_bounds_hold_where_only_results_are_rounded(precision):
    # Whole numbers around 0, which both precisions hold, and whose squares neither of them does.
    x = np.arange(-100.0, 101.0)[:, None]
    bounds = Bounds([x, x], precision)
    rows, columns = np.divmod(np.arange(201 * 201), 201)
    codes = bounds.tile(0, 0, 1, 0).ravel()
    lower, upper = bounds.ends(codes, 0, rows, 1, columns)
    exact = bounds.exact(0, rows, 1, columns)[0]
    assert np.all(lower <= exact) and np.all(exact <= upper) and np.all(codes <= bounds.limit(exact))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_codes_are_rounded_up_to_the_next(precision):
    values = np.exp(np.random.default_rng(5).normal(size=1000))
    codes = precision.code(values)
    below = np.nextafter(codes, np.float32(0.0)) if precision is Float32 else codes - 1
    assert np.all(precision.value(codes) >= values) and np.all(precision.value(below) < values)
    np.testing.assert_array_equal(precision.value(precision.code(precision.value(codes))), precision.value(codes))


def test_a_search_gives_up_where_too_much_would_be_measured():
    search = near_pairs.Search(Bounds(list(_sets("plain")), Float32))
    pairs = search.neighbours(0, 5)
    search._budget = 100
    with pytest.raises(near_pairs.TooManyError):
        search.radii(0, pairs, 5)


def test_sets_of_copies_are_counted_from_all_distances(monkeypatch):
    called = []
    all_of = balls._of_all
    monkeypatch.setattr(balls, "_of_all", lambda *args: called.append(args) or all_of(*args))
    rng = np.random.default_rng(4)
    real, samples = rng.normal(size=(400, 4)), np.repeat(rng.normal(size=(2, 4)), 200, axis=0)
    real[:3] = samples[0]  # in balls of radius 0
    found = balls.counts(real, samples, 5, 5)
    assert len(called) == 1
    _assert_same(found, _expected(real, samples, 5, 5))


def test_all_distances_give_the_same_counts():
    real, samples = _sets("plain")
    _assert_same(balls._of_all(real, samples, 3, 5), _expected(real, samples, 3, 5))
    _assert_same(balls.counts(real, samples, 3, 5), _expected(real, samples, 3, 5))


def test_small_sets_are_searched_in_float32(monkeypatch):
    monkeypatch.setattr("export.metrics.distance_bounds._bfloat16_is_faster", lambda: True)
    assert faster_precision(1e9) is Float32 and faster_precision(1e11) is BFloat16
    monkeypatch.setattr("export.metrics.distance_bounds._bfloat16_is_faster", lambda: False)
    assert faster_precision(1e11) is Float32
