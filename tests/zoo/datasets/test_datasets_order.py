"""Order of examples, replicas, and the interface of batches, on the smallest set of images."""

import subprocess
import sys

import numpy as np
import pytest

import zoo.datasets
from zoo.datasets import dataset
from zoo.datasets.arrays import ArrayDataset
from zoo.errors import RequestError


def take(batches, num):
    """The examples of the first batches, or pairs of them and their labels."""
    found = batches.take(num)
    return [(b.x.numpy(), b.conditions["label"].numpy()) if b.conditions else b.x.numpy() for b in found]


@pytest.fixture(scope="module")
def numbered():
    """Images whose label is their own number."""
    x = np.random.default_rng(0).integers(0, 256, (103, 4, 4, 1), np.uint8)
    y = np.arange(103)
    return ArrayDataset("numbered", {"train": (x, y), "test": (x[:7], y[:7])}, num_classes=103)


def test_load_and_a_wrong_request_leave_tensorflow_alone(tmp_path):
    code = f"""
import sys, zoo.datasets, zoo.errors
zoo.datasets.load("ring"); zoo.datasets.load("digits")
for source in ("idx:/nope", "folder:{tmp_path}", "rng", "tfds:no_such_set"):
    try:
        zoo.datasets.load(source, image_size=None if source == "rng" else 8)
        sys.exit(source)
    except zoo.errors.RequestError as e:
        assert "\\n" not in str(e)
assert not {{"tensorflow", "sklearn", "matplotlib"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_starting_at_k_gives_what_a_run_from_zero_gives(numbered):
    whole = take(numbered.batches("train", 20, seed=3, labels=True), 12)
    late = take(numbered.batches("train", 20, seed=3, labels=True, start_batch=7), 5)
    for (x, y), (late_x, late_y) in zip(whole[7:], late):
        np.testing.assert_array_equal(x, late_x)
        np.testing.assert_array_equal(y, late_y)
    far = take(numbered.batches("train", 20, seed=3, start_batch=10**12), 1)[0]
    assert far.shape == (20, 4, 4, 1)


def test_every_epoch_is_another_permutation_of_the_split(numbered):
    y = np.concatenate([y for _, y in take(numbered.batches("train", 20, seed=3, labels=True), 21)])
    epochs = y[: 4 * 103].reshape(4, 103)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(103))
    assert len({tuple(epoch) for epoch in epochs}) == 4
    other = np.concatenate([y for _, y in take(numbered.batches("train", 20, seed=4, labels=True), 6)])
    assert not np.array_equal(other[:103], epochs[0])


def test_a_batch_larger_than_the_split(numbered):
    _, y = take(numbered.batches("test", 30, seed=0, labels=True), 1)[0]
    for epoch in y[:28].reshape(4, 7):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(7))


@pytest.mark.parametrize("size", [15, 1000, 60000])
def test_orders_are_as_uncorrelated_as_random_ones(size):
    """With TensorFlow's own four rounds neighbouring epochs of 60,000 correlate by 0.91."""
    epochs = [dataset._shuffled(epoch * size, size, size, 1)[0].numpy() for epoch in (0, 1, 2, 256, 257)]
    epochs += [dataset._shuffled(0, size, size, key)[0].numpy() for key in (2, 257, 1 + 2**40)]
    assert len({tuple(epoch) for epoch in epochs}) == len(epochs)
    correlations = np.corrcoef([np.arange(size), *epochs])[np.triu_indices(len(epochs) + 1, 1)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(size - 1)
    serial = [np.corrcoef(epoch[1:], epoch[:-1])[0, 1] for epoch in epochs]
    assert np.abs(serial).max() < 4.5 / np.sqrt(size - 1)


@pytest.mark.parametrize("source", ["ring", "digits"])
def test_replicas_get_the_pieces_of_the_global_batch(source):
    data = zoo.datasets.load(source)
    whole = [x for x, _ in take(data.batches("train", 12, seed=5, start_batch=2, labels=True), 2)]
    options = {"seed": 5, "start_batch": 2, "replicas": 4}
    first = take(data.batches("train", 12, first_replica=0, local_replicas=3, **options), 6)
    last = take(data.batches("train", 12, first_replica=3, **options), 2)
    for step in range(2):
        np.testing.assert_array_equal(np.concatenate([*first[3 * step : 3 * step + 3], last[step]]), whole[step])


def test_batches_have_static_shape_and_the_values_of_arrays(numbered):
    batches = numbered.batches("train", 20, seed=0, labels=True)
    x_spec, y_spec = batches.element_spec.x, batches.element_spec.conditions["label"]
    assert x_spec.shape == (20, 4, 4, 1) and x_spec.dtype == "float32" and y_spec.shape == (20,)
    x, y = numbered.arrays("train")
    for batch_x, batch_y in take(batches, 3):
        np.testing.assert_array_equal(batch_x, x[batch_y])
    assert x.min() >= -1 and x.max() <= 1
    np.testing.assert_array_equal(y, np.arange(103))
    assert numbered.arrays("train", 10)[0].shape == (10, 4, 4, 1)


def test_bytes_map_onto_the_whole_range():
    x = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    data = ArrayDataset("ends", {"train": (x, None), "test": (x, None)})
    values, labels = data.arrays("train")
    np.testing.assert_array_equal(values.ravel(), np.float32([-1, 1]))
    assert labels is None
    np.testing.assert_array_equal(np.sort(take(data.batches("train", 2, seed=0), 1)[0].ravel()), np.float32([-1, 1]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 10, "replicas": 4}, "not divisible"),
        ({"batch_size": 8, "replicas": 4, "first_replica": 3, "local_replicas": 2}, "not within"),
        ({"batch_size": 8, "split": "dev"}, "'train' or 'test'"),
        ({"batch_size": 8, "start_batch": -1}, "start_batch"),
    ],
)
def test_wrong_batches(numbered, options, message):
    with pytest.raises(RequestError, match=message):
        numbered.batches(options.pop("split", "train"), seed=0, **options)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("rng", {}, "did you mean ring"),
        ("folders:/x", {}, "did you mean folder:DIR"),
        ("idx:", {}, "idx:DIR"),
        ("", {}, "expected one of"),
        ("ring", {"image_size": 8}, "points, not images"),
        ("digits", {"channels": 2}, "data.channels 2"),
        ("digits", {"image_size": 0}, "data.image_size 0"),
        ("digits", {"on_corrupt": "maybe"}, "data.on_corrupt 'maybe'"),
        ("ring?mods=3", {}, "no parameter 'mods'"),
        ("ring?modes=2.5", {}, "whole number"),
        ("ring?std=nan", {}, "above 0"),
        ("ring?std=0", {}, "std=0, expected a number above 0"),
    ],
)
def test_wrong_sources(source, options, message):
    with pytest.raises(RequestError, match=message):
        zoo.datasets.load(source, **options)


def test_digits():
    from sklearn.datasets import load_digits

    data = zoo.datasets.load("digits")
    assert data.data_shape == (8, 8, 1) and data.num_classes == 10 and data.class_names[3] == "3"
    (train, train_y), (test, test_y) = data.arrays("train"), data.arrays("test")
    ours = np.concatenate([train, test]).reshape(-1, 64)
    theirs, _ = load_digits(return_X_y=True)
    theirs = (np.round(theirs * 255 / 16) / 127.5 - 1).astype(np.float32)
    np.testing.assert_allclose(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)], atol=1e-6)
    assert np.bincount(test_y).min() >= 29 and len(test) == data.num_examples("test")
    assert np.bincount(train_y).min() >= 145


def test_resizing_and_colour():
    small = zoo.datasets.load("digits").arrays("test", 20)[0]
    data = zoo.datasets.load("digits", image_size=16, channels=3)
    x, _ = data.arrays("test", 20)
    assert x.shape == (20, 16, 16, 3) == (20, *data.data_shape)
    np.testing.assert_array_equal(x[..., 0], x[..., 2])
    np.testing.assert_allclose(x.mean((1, 2, 3)), small.mean((1, 2, 3)), atol=0.02)


def test_colour_at_the_size_that_the_data_has():
    grey, data = (zoo.datasets.load("digits", channels=channels) for channels in (None, 3))
    np.testing.assert_array_equal(data.arrays("test", 20)[0], np.repeat(grey.arrays("test", 20)[0], 3, axis=-1))
    grey, colour = (next(iter(each.batches("test", 20, seed=0))).x for each in (grey, data))
    np.testing.assert_array_equal(colour, np.repeat(grey, 3, axis=-1))
