"""Captions of images: their words, and the numbers that a network reads them by. Free of TensorFlow until it is used.

Words are what Keras' TextVectorization makes of a text: lower-case (of ASCII letters), without ASCII punctuation, split
at white space.
"""

import collections
import functools
import string

from zoo.errors import RequestError

#: Numbers of no word, which fills up short captions, and of a word that is not in the vocabulary.
PADDING, UNKNOWN = 0, 1
#: Most words that a vocabulary holds, the most frequent ones, and most words of a caption that are read.
MOST_WORDS, LONGEST = 4_000, 64

_PUNCTUATION = str.maketrans("", "", string.punctuation)


def words(text):
    """The words of a text, a list."""
    return text.encode().lower().decode().translate(_PUNCTUATION).split()


class Captions:
    """The captions of a data set's examples, one or more each.

    Args:
        of_splits: {"train": texts, "test": texts}; texts is a sequence, for each example a tuple of one or more str.

    Attributes:
        vocabulary: tuple of the words of the training captions, the most frequent first, at most MOST_WORDS.
        longest: number of words of the longest training caption, at most LONGEST.
    """

    def __init__(self, of_splits):
        self._of_splits = of_splits

    @functools.cached_property
    def _split_up(self):
        return [words(text) for texts in self._of_splits["train"] for text in texts]

    @functools.cached_property
    def vocabulary(self):
        counts = collections.Counter(word for caption in self._split_up for word in caption)
        # Words of the same frequency in alphabetical order, not in that of the examples.
        ordered = sorted(counts, key=lambda word: (-counts[word], word))
        return tuple(ordered[:MOST_WORDS])

    @functools.cached_property
    def longest(self):
        return min(max(map(len, self._split_up)), LONGEST)

    def texts(self, split):
        """The captions of each example of `split`, a sequence of tuples of str."""
        return self._of_splits[split]

    def reader(self, split):
        """A traceable function: int64 indices [n] of examples and epochs [n] → string [n], a caption of each.

        In each epoch an example has the next of its captions. Which is its first differs from example to example.
        """
        import numpy as np
        import tensorflow as tf

        counts = np.array([len(texts) for texts in self._of_splits[split]], np.int64)
        flat = tf.constant([text for texts in self._of_splits[split] for text in texts])
        counts, starts = tf.constant(counts), tf.constant(np.cumsum(counts) - counts)

        def read(indices, epochs):
            return tf.gather(flat, tf.gather(starts, indices) + (indices + epochs) % tf.gather(counts, indices))

        return read


class Tokenizer:
    """Captions to the numbers of their words, and back.

    Args:
        vocabulary: tuple of words.
        length: words of a caption that are read.
    """

    def __init__(self, vocabulary, length):
        self.vocabulary, self.length = tuple(vocabulary), length

    @functools.cached_property
    def layer(self):
        """The keras.layers.TextVectorization. A SavedModel that tokenizes must track it."""
        import keras
        import tensorflow as tf

        # Its table outlives the function that is being traced, and strings are on the CPU.
        with tf.init_scope(), tf.device("CPU:0"):
            layer = keras.layers.TextVectorization(
                output_sequence_length=self.length, vocabulary=list(self.vocabulary), dtype="int64"
            )
            layer(tf.constant([""]))
        return layer

    def __call__(self, captions):
        """Captions string [N] → int64 [N, length]: PADDING behind the last word, UNKNOWN for unknown words, and i + 2
        for word i of the vocabulary."""
        import tensorflow as tf

        return tf.ensure_shape(self.layer(captions), [None, self.length])

    def texts(self, tokens):
        """The words of numbers int [N, length], string [N]; traceable."""
        import tensorflow as tf

        known = tf.constant(["", "[UNK]", *self.vocabulary])
        return tf.strings.strip(tf.strings.reduce_join(tf.gather(known, tokens), axis=1, separator=" "))

    def check(self, caption, where):
        """Raises RequestError for a caption without words, or with words that are not in the vocabulary."""
        unknown = [word for word in words(caption) if word not in self.vocabulary]
        if unknown or not words(caption):
            found = f"no word {unknown[0]!r} in the training captions" if unknown else "no words"
            few = ", ".join(self.vocabulary[:20]) + (", …" if len(self.vocabulary) > 20 else "")
            raise RequestError(f"{where}: {caption!r}; {found}, expected of: {few}")
