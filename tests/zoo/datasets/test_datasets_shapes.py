"""Toy scenes: their drawings against supersampled ones, and that images and captions are read exactly."""

import numpy as np
import pytest

import zoo
from zoo.captions import Tokenizer
from zoo.datasets import shapes
from zoo.errors import RequestError
from zoo.pixels import to_uint8


@pytest.fixture(scope="module")
def data():
    return zoo.datasets.load("shapes")


def pixels(data, num=None):
    return to_uint8(data.arrays("test", num)[0])


@pytest.mark.parametrize("side", [16, 32, 64])
def test_attributes_are_read_off_every_image(side):
    data = zoo.datasets.load("shapes", image_size=side)
    found = shapes.attributes_in_images(pixels(data, None if side == 32 else 500))
    for attribute, values in data.attributes("test").items():
        assert len(np.unique(values)) == len(shapes.ATTRIBUTES[attribute])
        np.testing.assert_array_equal(found[attribute], values[: len(found[attribute])])


def test_attributes_are_read_off_every_caption(data):
    for split in data.splits:
        for texts in zip(*data.captions.texts(split)):
            found = shapes.attributes_in_captions(texts)
            for attribute, values in data.attributes(split).items():
                np.testing.assert_array_equal(found[attribute], values)


def test_a_caption_may_leave_attributes_out_and_words_are_whole():
    found = shapes.attributes_in_captions(["Encircled reds, top", "A RED thing!", "the bottom-left"])
    assert {attribute: values.tolist() for attribute, values in found.items()} == {
        "shape": [-1, -1, -1],
        "colour": [-1, 0, -1],
        "position": [-1, -1, -1],
    }


def test_a_shape_covers_what_a_drawing_of_many_small_pixels_does():
    centres, radii, side = np.array([[0.5, 0.5], [0.3, 0.66]]), np.array([0.18, 0.15]), 32
    for shape in shapes.SHAPES:
        found = shapes._masks(shape, centres, radii, side)
        fine = shapes._masks(shape, centres, radii, 16 * side) > 0.5
        expected = fine.reshape(2, side, 16, side, 16).mean((2, 4))
        # By distance from the edge: exact along straight edges across pixels, near elsewhere.
        assert np.abs(found - expected).max() < 0.3 and np.abs(found - expected).mean() < 0.01
        x = (np.arange(side) + 0.5) / side
        for axis, coordinate in ((1, 0), (2, 1)):
            centroid = found.sum(axis) @ x / found.sum((1, 2))
            np.testing.assert_allclose(centroid, centres[:, coordinate], atol=0.004)


def test_batches_have_labels_and_captions_of_their_images(data):
    tokenizer = Tokenizer(data.spec.vocabulary, data.spec.caption_words)
    batch = next(iter(data.batches("train", 64, seed=3, labels=True, tokenizer=tokenizer)))
    texts = [text.decode() for text in tokenizer.texts(batch.conditions["caption"]).numpy()]
    asked = shapes.attributes_in_captions(texts)
    shown = shapes.attributes_in_images(to_uint8(batch.x.numpy()))
    for attribute, values in shown.items():
        np.testing.assert_array_equal(asked[attribute], values)
    np.testing.assert_array_equal(batch.conditions["label"], shown["shape"])
    # Both templates occur in one epoch.
    assert {text.split()[0] for text in texts} == {"a", "the"}


def test_pieces_of_replicas_have_the_captions_of_the_global_batch(data):
    tokenizer = Tokenizer(data.spec.vocabulary, data.spec.caption_words)
    whole = next(iter(data.batches("train", 8, seed=0, tokenizer=tokenizer, start_batch=2000)))
    pieces = data.batches("train", 8, seed=0, tokenizer=tokenizer, start_batch=2000, replicas=2)
    found = np.concatenate([piece.conditions["caption"] for piece in pieces.take(2)])
    np.testing.assert_array_equal(found, whole.conditions["caption"])


def test_an_image_that_shows_another_shape_is_not_read_as_the_first(data):
    images, labels = pixels(data, 200), data.attributes("test")["shape"][:200]
    for number, shape in enumerate(shapes.SHAPES):
        found = shapes.attributes_in_images(images[labels != number])["shape"]
        assert not (found == number).any(), shape


@pytest.mark.parametrize(
    "options, message",
    [
        ({"channels": 1}, "data.channels 1: 'shapes' has captions of colours; expected 3 or None"),
        ({"image_size": 15}, "data.image_size 15: expected 16 or more"),
    ],
)
def test_wrong_requests(options, message):
    with pytest.raises(RequestError, match=message):
        zoo.datasets.load("shapes", **options)


def test_captions_of_data_without_any_are_refused():
    with pytest.raises(RequestError, match="'digits': captions were asked for, and this data has none"):
        zoo.datasets.load("digits").batches("train", 4, seed=0, tokenizer=lambda texts: texts)
