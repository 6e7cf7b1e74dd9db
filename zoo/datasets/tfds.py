"""Images from TensorFlow Datasets, prepared beforehand."""

import difflib

import numpy as np
from etils import epath

from zoo.datasets import images
from zoo.datasets.arrays import InMemoryDataset
from zoo.errors import RequestError

# First bytes of JPEG and PNG files, which need no conversion.
_AS_THEY_ARE = (b"\xff\xd8\xff", b"\x89PNG")
MEMORY_LIMIT = 2 * 2**30  # bytes of decoded pixels, both splits together


def load(source, name, *, image_size=None, channels=None, data_dir=None):
    """Opens a data set that is already prepared on disk. Downloads nothing.

    On first use the images are decoded into memory, as uint8 of the requested size: at most `MEMORY_LIMIT` bytes, both
    splits together. The test split is ``test``, or ``validation`` where there is none, or else the last tenth of
    ``train``.

    Args:
        source: The source string, for messages.
        name: As of `tfds.builder`: ``cifar10``, ``imagenette/320px-v2``, ``mnist:3.0.1``.
        image_size: As of `zoo.datasets.load`.
        channels: As of `zoo.datasets.load`.
        data_dir: TFDS' own directory; None for its default.

    Returns:
        A `Dataset`.

    Raises:
        RequestError: No such data set; not prepared; no images in it; images of many sizes and no `image_size`; too
            large for memory.
    """
    import tensorflow_datasets as tfds  # most of a second, but without TensorFlow

    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as e:
        near = difflib.get_close_matches(name, tfds.list_builders(with_community_datasets=False), 3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise RequestError(f"data.source '{source}': TensorFlow Datasets has no {name!r}{hint}") from e
    except (ValueError, AssertionError, TypeError) as e:  # a config or version that does not exist
        raise RequestError(f"data.source '{source}': {' '.join(str(e).split())[:200]}") from e
    path = epath.Path(builder.data_path)
    if not (path / "dataset_info.json").exists():
        where = f" --data_dir={data_dir}" if data_dir else ""
        raise RequestError(f"data.source '{source}': not prepared in {path}; prepare it with: tfds build {name}{where}")

    info = builder.info
    image = _pick(info.features, "image", tfds.features.Image)
    label = _pick(info.features, "label", tfds.features.ClassLabel)
    if image is None or np.dtype(info.features[image].np_dtype) not in (np.uint8, np.uint16):
        raise RequestError(f"data.source '{source}': has no one feature of images, only {', '.join(info.features)}")
    height, width, native = info.features[image].shape
    if image_size is None and None in (height, width):
        raise RequestError(f"data.image_size None: expected a number of pixels for '{source}', whose images differ")
    channels = channels or (1 if native == 1 else 3)
    shape = (image_size or height, image_size or width, channels)

    if "train" not in info.splits:
        raise RequestError(f"data.source '{source}': has no split 'train', only {', '.join(info.splits)}")
    test = next((split for split in ("test", "validation") if split in info.splits), None)
    splits = {"train": "train", "test": test} if test else {"train": "train[:90%]", "test": "train[90%:]"}
    sizes = {split: info.splits[instruction].num_examples for split, instruction in splits.items()}
    need = sum(sizes.values()) * int(np.prod(shape))
    if need > MEMORY_LIMIT:
        raise RequestError(
            f"data.source '{source}': {need / 2**30:.1f} GiB decoded, more than the {MEMORY_LIMIT / 2**30:.0f} GiB "
            f"that are held in memory; set a smaller data.image_size, or write its images to a folder for 'folder:DIR'"
        )
    names = None if label is None else info.features[label].names
    return TfdsDataset(source, shape, names, builder, image, label, splits, sizes, image_size)


class TfdsDataset(InMemoryDataset):
    """A prepared data set, decoded into memory."""

    def __init__(self, name, shape, class_names, builder, image, label, instructions, sizes, image_size):
        super().__init__(name, shape, None if class_names is None else len(class_names), class_names)
        self._builder, self._image, self._label = builder, image, label
        self._instructions, self._sizes, self._image_size = instructions, sizes, image_size

    def num_examples(self, split):
        self._check_split(split)
        return self._sizes[split]

    def _load(self, split):
        import tensorflow as tf
        import tensorflow_datasets as tfds

        # Read only the label and the encoded image, which is decoded like those of other sources.
        wanted = {key: True for key in (self._image, self._label) if key is not None}
        decoders = tfds.decode.PartialDecoding(wanted, decoders={self._image: tfds.decode.SkipDecoding()})
        examples = self._builder.as_dataset(split=self._instructions[split], decoders=decoders, shuffle_files=False)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def decode(encoded):
            each = tf.data.Dataset.from_tensor_slices(encoded).map(
                lambda one: images.decode(one, self._image_size, self.data_shape[2]),
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            return each.batch(tf.size(encoded, tf.int64)).get_single_element()

        for piece in examples.batch(1024).as_numpy_iterator():
            try:
                encoded = [
                    one if one.startswith(_AS_THEY_ARE) else images.as_png(one) or one for one in piece[self._image]
                ]
            except Exception as e:  # Pillow's readers raise nearly every type there is on damaged bytes
                why = " ".join(str(e).split())
                raise RequestError(f"data.source '{self.name}': an image of {split} cannot be decoded ({why})") from e
            yield decode(encoded), np.zeros(len(encoded), np.int64) if self._label is None else piece[self._label]


def _pick(features, key, kind):
    """The feature of a kind: the one called `key`, or the only one."""
    of_kind = [name for name, feature in features.items() if isinstance(feature, kind)]
    if key in of_kind:
        return key
    return of_kind[0] if len(of_kind) == 1 else None
