"""Captions: words as Keras splits them, a vocabulary, and numbers and back."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.captions import LONGEST, MOST_WORDS, Captions, Tokenizer, words
from zoo.errors import RequestError

TEXTS = (
    "A red circle, at the top!",
    "  two\tspaces\nand lines ",
    "it's (not) so-called [x]{y}<z>|~`@#$%^&*_+=\\/;:\"?.",
    "Überraschung ÄÖ é 漢字 naïve",
    "",
    "... !!",
)


def test_words_are_those_of_keras():
    import keras

    layer = keras.layers.TextVectorization(split="whitespace", output_mode="int")
    layer.adapt(list(TEXTS))
    known = layer.get_vocabulary()
    for text in TEXTS:
        assert [known[index] for index in layer(tf.constant([text])).numpy()[0] if index] == words(text)


def test_a_vocabulary_has_the_most_frequent_words_of_the_training_captions_first():
    captions = Captions({"train": [("b a",), ("a c c", "d a")], "test": [("only here",)]})
    assert captions.vocabulary == ("a", "c", "b", "d") and captions.longest == 3
    many = Captions({"train": [(f"w{index}" + " x" * 100,) for index in range(MOST_WORDS + 5)]})
    assert len(many.vocabulary) == MOST_WORDS and many.vocabulary[0] == "x" and many.longest == LONGEST


def test_numbers_of_words_and_back():
    tokenizer = Tokenizer(("the", "red", "circle"), 4)
    found = tokenizer(tf.constant(["The CIRCLE.", "a red circle the red the", ""])).numpy()
    np.testing.assert_array_equal(found, [[2, 4, 0, 0], [1, 3, 4, 2], [0, 0, 0, 0]])
    assert found.dtype == np.int64
    assert tokenizer.texts(found).numpy().tolist() == [b"the circle", b"[UNK] red circle the", b""]


def test_each_epoch_has_the_next_caption_of_an_example():
    texts = [("a",), ("b0", "b1"), ("c0", "c1", "c2")]
    read = Captions({"train": texts}).reader("train")
    epochs = [read(tf.constant([0, 1, 2], tf.int64), tf.constant([epoch] * 3, tf.int64)).numpy() for epoch in range(6)]
    for index, of_example in enumerate(texts):
        found = [epoch[index].decode() for epoch in epochs]
        assert sorted(found) == sorted(of_example * (6 // len(of_example)))
        assert found[: len(of_example)] == found[len(of_example) : 2 * len(of_example)] or len(of_example) == 1


@pytest.mark.parametrize(
    "caption, message",
    [
        ("a red square", "'a red square'; no word 'a' in the training captions, expected of: the, red, circle"),
        ("red square", "no word 'square' in"),
        (" !", "' !'; no words, expected of: the, red, circle"),
    ],
)
def test_unknown_words_are_named(caption, message):
    with pytest.raises(RequestError) as refused:
        Tokenizer(("the", "red", "circle"), 4).check(caption, "--caption")
    assert message in str(refused.value) and str(refused.value).startswith("--caption: ")
    Tokenizer(("the", "red", "circle"), 4).check("The red, red circle", "--caption")
