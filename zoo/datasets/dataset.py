"""Base classes of data sets: shape, classes, splits, and batches whose order is computed, not stored.

TensorFlow is imported by the first batch only, so that a wrong request is reported at once.
"""

import abc
import operator
import re
import zlib
from typing import NamedTuple

import numpy as np

from zoo.batch import Batch
from zoo.errors import RequestError
from zoo.pixels import to_float

SPLITS = ("train", "test")


class DataSpec(NamedTuple):
    """The properties of data that networks are built from, as of `Dataset`, and of its captions (`Captions`): their
    `vocabulary`, and the number of words of the longest."""

    data_shape: tuple
    num_classes: int | None = None
    class_names: tuple | None = None
    vocabulary: tuple | None = None
    caption_words: int | None = None

    @classmethod
    def of(cls, facts):
        """The spec that a dict of JSON values describes; one that a former release wrote may lack all but the shape."""

        values = {"data_shape": facts["data_shape"], **{name: facts.get(name) for name in cls._fields}}
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})

    @property
    def display_names(self):
        """Text for each class: its name, or its number where the data has no names; () without classes."""
        return self.class_names or tuple(map(str, range(self.num_classes or 0)))


class Dataset(abc.ABC):
    """A source of training and held-out examples.

    Attributes:
        name: The source string it was loaded from, e.g. ``idx:/data/mnist``.
        data_shape: Shape of one example: ``(height, width, channels)`` of an image, ``(d,)`` of a point.
        num_classes: Number of classes, or None where the data has no labels.
        class_names: Their names, index i for label i, or None where it has none.
        captions: `zoo.captions.Captions` of the examples, or None where the data has none.
        splits: Always ``("train", "test")``.
        smallest: ``(side, path)`` of the image with the shortest side, in pixels before it is resized; None where no
            image is resized, or its size is not known.
    """

    splits = SPLITS
    smallest = None

    def __init__(self, name, data_shape, num_classes=None, class_names=None, captions=None):
        self.name = name
        self.data_shape = tuple(data_shape)
        self.num_classes = num_classes
        self.class_names = None if class_names is None else tuple(class_names)
        self.captions = captions

    def __repr__(self):
        return f"{type(self).__name__}({self.name!r}, data_shape={self.data_shape}, num_classes={self.num_classes})"

    @property
    def spec(self):
        """The `DataSpec` of this data."""
        captions = self.captions and (self.captions.vocabulary, self.captions.longest)
        return DataSpec(self.data_shape, self.num_classes, self.class_names, *(captions or ()))

    def class_shares(self):
        """Each class' share of the training examples, float64 ``[num_classes]``: uniform unless overridden."""
        return np.full(self.num_classes, 1.0 / self.num_classes)

    @abc.abstractmethod
    def num_examples(self, split):
        """Number of examples in `split`, or None for a density, which never ends.

        Raises:
            RequestError: `split` is neither 'train' nor 'test'.
        """

    def checksum(self, split):
        """What tells the examples of a split, in their order and with their labels, from others, to cache by.

        Returns:
            Hexadecimal, 64 characters; or None where it cannot be told without reading everything again.

        Raises:
            RequestError: No such split.
        """
        self._check_split(split)
        return None

    @abc.abstractmethod
    def arrays(self, split, num=None):
        """The first `num` examples of `split` in a fixed order, for evaluation.

        Args:
            split: 'train' or 'test'.
            num: How many at most; None for all of them.

        Returns:
            ``(x, y)``, float32 ``[n, *data_shape]`` in the range of `batches`, and int64 ``[n]``, or None where the
            data has no labels.

        Raises:
            RequestError: No such split, or an image that cannot be decoded (it is named).
        """

    @abc.abstractmethod
    def _piece(self, split, key, batch_size, rows, wanted):
        """A traceable function (batch number, first row) → ``(x, conditions)``, `rows` rows of that global batch.

        `x` is float32, `conditions` a dict of those `wanted`: "label" int64 [rows], "caption" string [rows]. `key` is
        an int64 made from the user's seed.
        """

    def batches(
        self,
        split,
        batch_size,
        *,
        seed,
        start_batch=0,
        replicas=1,
        first_replica=0,
        local_replicas=None,
        labels=False,
        tokenizer=None,
    ):
        """Batches number `start_batch`, `start_batch` + 1, … for ever; batch s is a function of (seed, s) alone.

        Batches are stateless: starting at k costs as much as starting at 0, and gives exactly the batches from k on of
        a run from 0. An epoch is a permutation of the whole split; a batch may straddle two of them.

        With several replicas the global batch is cut into `replicas` equal consecutive pieces, and each element is one
        piece. A process that feeds only some replicas gets, for every batch, the pieces of replicas `first_replica` …
        `first_replica + local_replicas - 1` one after the other. That is what
        `tf.distribute.Strategy.distribute_datasets_from_function` expects of its dataset function.

        Args:
            split: 'train' or 'test'.
            batch_size: Rows of the global batch.
            seed: Any Python integer; equal seeds give equal batches on every machine.
            start_batch: Number of the first batch.
            replicas: Pieces that the global batch is cut into.
            first_replica: Number of the first piece to give.
            local_replicas: How many consecutive pieces to give; None for all from `first_replica` on.
            labels: Whether to give the labels too, as the condition "label".
            tokenizer: Function of captions, string ``[n]``, to give what it makes of them too, as the condition
                "caption". Of several captions of an example, each epoch takes the next. None gives none.

        Returns:
            An infinite `tf.data.Dataset` of `zoo.batch.Batch`es, their examples float32 ``[batch_size / replicas,
            *data_shape]`` (static shape), labels int64 ``[batch_size / replicas]``. Images are in [-1, 1]; points keep
            their natural coordinates.

        Raises:
            RequestError: No such split; sizes that do not fit each other; labels or captions of data that has none.
            tf.errors.InvalidArgumentError: While iterating, on an image that cannot be decoded (it is named).
        """
        self._check_split(split)
        if local_replicas is None:
            local_replicas = replicas - first_replica
        if batch_size < 1 or replicas < 1 or batch_size % replicas:
            raise RequestError(f"batch_size {batch_size}: not divisible by the number of replicas, {replicas}")
        if first_replica < 0 or not (1 <= local_replicas <= replicas - first_replica):
            raise RequestError(
                f"first_replica {first_replica}, local_replicas {local_replicas}: not within the {replicas} replicas"
            )
        if start_batch < 0:
            raise RequestError(f"start_batch {start_batch}: expected 0 or more")
        if labels and self.num_classes is None:
            raise RequestError(f"data.source '{self.name}': labels were asked for, and this data has none")
        if tokenizer is not None and self.captions is None:
            raise RequestError(f"data.source '{self.name}': captions were asked for, and this data has none")

        import tensorflow as tf

        rows = batch_size // replicas
        with tf.device("CPU:0"):
            wanted = (["label"] if labels else []) + (["caption"] if tokenizer is not None else [])
            piece = self._piece(split, stream_key(seed, split), batch_size, rows, wanted)

            def element(number):
                x, conditions = piece(number // local_replicas, (first_replica + number % local_replicas) * rows)
                conditions = {name: tf.ensure_shape(conditions[name], [rows]) for name in wanted}
                if tokenizer is not None:
                    conditions["caption"] = tokenizer(conditions["caption"])
                return Batch(tf.ensure_shape(x, [rows, *self.data_shape]), conditions)

            options = tf.data.Options()
            options.deterministic = True
            # Each process already gets exactly its own rows: the strategy must not shard them.
            options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
            return (
                tf.data.Dataset.counter(start_batch * local_replicas)
                .map(element, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
                .prefetch(tf.data.AUTOTUNE)
                .with_options(options)
            )

    def _check_split(self, split):
        if split not in SPLITS:
            raise RequestError(f"split {split!r}: expected 'train' or 'test'")


class ImageDataset(Dataset):
    """A finite set of images that are read by index; a subclass defines `_reader`."""

    @abc.abstractmethod
    def _reader(self, split):
        """A traceable function: int64 indices ``[n]`` → uint8 ``[n, *data_shape]``, int64 ``[n]`` (0 if unlabelled)."""

    def _evaluation_order(self, split, num):
        """Indices of the first `num` examples for `arrays`, int64."""
        return np.arange(num)

    def arrays(self, split, num=None):
        size = self.num_examples(split)
        num = size if num is None else min(num, size)
        x = np.empty((num, *self.data_shape), np.float32)
        y = np.empty(num, np.int64)

        import tensorflow as tf

        with tf.device("CPU:0"):
            order = tf.data.Dataset.from_tensor_slices(self._evaluation_order(split, num)).batch(256)
            pieces = order.map(self._reader(split), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        start = 0
        try:
            for pixels, labels in pieces.prefetch(tf.data.AUTOTUNE).as_numpy_iterator():
                rows = slice(start, start + len(pixels))
                x[rows], y[rows] = to_float(pixels), labels
                start = rows.stop
        except tf.errors.InvalidArgumentError as e:
            raise (undecodable(e) or e) from e
        return x, y if self.num_classes else None

    def _piece(self, split, key, batch_size, rows, wanted):
        size = self.num_examples(split)
        reader = self._reader(split)
        captions = self.captions.reader(split) if "caption" in wanted else None

        def piece(batch, first_row):
            indices, epochs = _shuffled(batch * batch_size + first_row, rows, size, key)
            pixels, y = reader(indices)
            return to_float(pixels), {"label": y, "caption": captions and captions(indices, epochs)}

        return piece


def undecodable(error):
    """The `RequestError` for a damaged image that stopped a pipeline.

    Args:
        error: A `tf.errors.InvalidArgumentError` raised while iterating `Dataset.batches`.

    Returns:
        A one-line `RequestError` that names the image, or None if the error is of another kind.
    """
    found = re.search(r"\[(data\.source .*?)\]$", error.message, re.MULTILINE)
    if not found:
        return None
    # TensorFlow writes strings with C's escapes, so the bytes of non-ASCII names are unescaped.
    return RequestError(found[1].encode("latin-1").decode("unicode_escape").encode("latin-1").decode(errors="replace"))


def stream_key(seed, split):
    """One int64 for (seed, split), salted to differ from all other uses of the same seed.

    Without the salt, points drawn at (seed, batch) would equal the latents drawn at (seed, step).
    """
    entropy = operator.index(seed) % 2**64
    salt = (zlib.crc32(b"zoo.datasets"), zlib.crc32(split.encode()))
    return int(np.random.SeedSequence(entropy, spawn_key=salt).generate_state(1, np.uint64).view(np.int64)[0])


def _shuffled(first, rows, size, key):
    """Indices at positions `first` … of the endless order of `size` examples, and their epochs, int64 [rows] both.

    Position p belongs to epoch ``p // size``, a permutation computed by a small block cipher.

    `tf.random.experimental.index_shuffle` is not used: it runs the cipher with four rounds, where neighbouring seeds
    give nearly the same permutation (correlation 0.91 at 60,000 examples) and small sets come out almost sorted; and
    below 65,536 examples the cipher reads the low byte of each seed word only. So Philox draws the seed words of an
    epoch, and the cipher gets sixteen rounds, after which its permutations are as uncorrelated as random ones.
    """
    import tensorflow as tf

    positions = first + tf.range(rows, dtype=tf.int64)
    epochs = positions // size
    words = tf.map_fn(
        lambda epoch: tf.random.stateless_uniform(
            [3], tf.stack([tf.constant(key, tf.int64), epoch]), minval=None, maxval=None, dtype=tf.uint32, alg="philox"
        ),
        epochs[0] + tf.range((rows - 1) // size + 2, dtype=tf.int64),
        fn_output_signature=tf.uint32,
    )
    indices = tf.raw_ops.RandomIndexShuffle(
        index=positions % size,
        seed=tf.gather(words, epochs - epochs[0]),
        max_index=tf.constant(size - 1, tf.int64),
        rounds=16,
    )
    return indices, epochs
