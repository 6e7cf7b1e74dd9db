"""Images in a folder of any size, decoded as they are needed: memory holds their names and no more."""

import concurrent.futures
import hashlib
import logging
import os

import numpy as np
from PIL import Image, UnidentifiedImageError

from zoo.datasets import images
from zoo.datasets.dataset import ImageDataset
from zoo.errors import RequestError

_TEST_NAMES = ("test", "val", "validation", "valid")
_HELD_OUT = 10  # one image in ten, where the folder has no test images of its own
_HEAD, _TAIL = 2048, 64  # bytes looked at


def load(source, directory, *, image_size, channels=None, on_corrupt="error"):
    """Lists and scans a folder.

    With subfolders ``train`` and ``test`` (or ``val``, ``validation``, ``valid``) these are the splits. Otherwise every
    tenth image or so is held out, chosen by a hash of its path, so that it stays held out when others come or go. If
    all images lie in two or more subfolders of a split, the subfolders are the classes, in alphabetical order.

    Of every local file the first and last bytes are looked at; one that looks unfinished is decoded to know. Damage
    further inside shows only when the image is used, and so does any damage on remote storage. Then, too, `on_corrupt`
    decides: 'error' stops with the name of the file, 'skip' takes the next readable image in its place.

    Args:
        source: The source string, for messages.
        directory: An `epath.Path`.
        image_size: Side of the square that images are cropped and resized to.
        channels: 1 or 3; None means 3.
        on_corrupt: 'error' or 'skip'.

    Returns:
        A `FolderDataset`.

    Raises:
        RequestError: No such directory, no images in it, no `image_size`, or a damaged image.
    """
    if image_size is None:
        raise RequestError(f"data.image_size None: expected a number of pixels for '{source}', whose images may differ")
    if not directory.is_dir():
        raise RequestError(f"data.source '{source}': no such directory")
    held_out = next((name for name in _TEST_NAMES if (directory / name).is_dir()), None)
    if held_out is not None and (directory / "train").is_dir():
        roots = {"train": directory / "train", "test": directory / held_out}
    else:
        roots = {"all": directory}
    names, damaged, orientations = {}, [], {}
    for part, root in roots.items():
        names[part] = _list(root)
        if not names[part]:
            raise RequestError(f"data.source '{source}': no images ({' '.join(images.SUFFIXES)}) in {root}")
        bad, orientations[part] = _scan(root, names[part])
        damaged += [f"{root / name} ({why})" for name, why in bad.items()]
        names[part] = [name for name in names[part] if name not in bad]
    if damaged:
        summary = f"data.source '{source}': {len(damaged)} damaged images, the first {damaged[0]}"
        if on_corrupt == "error":
            raise RequestError(f"{summary}; data.on_corrupt=skip leaves them out")
        logging.warning("%s: left out", summary)
        for part, root in roots.items():
            if not names[part]:
                raise RequestError(f"data.source '{source}': every image in {root} is damaged")

    class_names = _classes(names.get("train") or names["all"])
    if "all" in names:
        names, roots = _hold_out(source, names["all"]), dict.fromkeys(("train", "test"), directory)
        orientations = dict.fromkeys(names, orientations["all"])
    labels = None
    if class_names is not None:
        number = {name: i for i, name in enumerate(class_names)}
        labels = {}
        for part in names:
            of_class = [name.split("/", 1)[0] for name in names[part]]
            unknown = sorted(set(of_class) - set(number))
            if unknown:
                raise RequestError(f"data.source '{source}': class {unknown[0]!r} is in {roots[part]}, not in train")
            labels[part] = np.array([number[name] for name in of_class], np.int64)
    shape = (image_size, image_size, channels or 3)
    turned = {part: [orientations[part].get(name, 1) for name in names[part]] for part in names}
    return FolderDataset(source, roots, names, shape, labels, class_names, turned, on_corrupt)


class FolderDataset(ImageDataset):
    """Images of a folder. Attributes beside those of `Dataset`: `paths`, ``{split: names relative to the root}``."""

    def __init__(self, name, roots, paths, data_shape, labels, class_names, orientations, on_corrupt):
        super().__init__(name, data_shape, None if class_names is None else len(class_names), class_names)
        self.paths = paths
        self._roots = {split: os.fspath(root) for split, root in roots.items()}
        self._labels = labels
        self._skip = on_corrupt == "skip"
        self._orientations = orientations

    def num_examples(self, split):
        self._check_split(split)
        return len(self.paths[split])

    def _evaluation_order(self, split, num):
        # Files are listed class by class; the first thousand would be of one class.
        return np.random.RandomState(0).permutation(self.num_examples(split))[:num]

    def _reader(self, split):
        import tensorflow as tf

        size = self.num_examples(split)
        paths = tf.constant(self.paths[split])
        labels = tf.constant(self._labels[split] if self._labels else np.zeros(size, np.int64))
        # Hardly any folder has turned photographs; the others do not pay for them.
        turned = self._orientations[split] if any(o != 1 for o in self._orientations[split]) else None
        orientations = None if turned is None else tf.constant(turned, tf.int32)

        def path_of(index):
            return tf.strings.join([self._roots[split], paths[index]], separator="/")

        def decode(index):
            orientation = None if orientations is None else orientations[index]
            encoded = tf.io.read_file(path_of(index))
            return images.decode(encoded, self.data_shape[0], self.data_shape[2], orientation), labels[index]

        def fail(index):
            path = path_of(index)
            message = tf.strings.join(
                [f"data.source '{self.name}': cannot decode ", path, "; data.on_corrupt=skip replaces it"]
            )
            with tf.control_dependencies([tf.debugging.Assert(False, [message])]):
                return tf.zeros(self.data_shape, tf.uint8), tf.identity(labels[index])

        def decode_or(index):
            # The image in place of a damaged one depends on the files alone, not on when or by whom it is asked for.
            tries = tf.data.Dataset.range(size if self._skip else 1)
            tries = tries.map(lambda i: decode((index + i) % size)).ignore_errors(log_warning=self._skip)
            return tries.concatenate(tf.data.Dataset.from_tensors(index).map(fail)).take(1).get_single_element()

        def read(indices):
            # Operations cannot catch errors, data sets can: a batch that fails is read again, one image at a time.
            rows = tf.shape(indices, tf.int64)[0]
            each = tf.data.Dataset.from_tensor_slices(indices)
            # Of a batch that failed in the middle the rest is too short, and dropped.
            whole = each.map(decode).batch(rows, drop_remainder=True).ignore_errors()
            return whole.concatenate(each.map(decode_or).batch(rows, drop_remainder=True)).take(1).get_single_element()

        return read


def _list(root):
    """Paths of the images below `root`, relative to it, with forward slashes, sorted; hidden ones left out."""
    base = os.fspath(root)
    local = "://" not in base
    names = []
    pending = [""]
    while pending:
        folder = pending.pop()
        if local:
            with os.scandir(os.path.join(base, folder)) as entries:
                found = [(entry.name, entry.is_dir()) for entry in entries]
        else:
            found = [(entry.name, entry.is_dir()) for entry in (root / folder).iterdir()]
        for name, is_folder in found:
            if name.startswith("."):
                continue
            if is_folder:
                pending.append(f"{folder}{name}/")
            elif name.lower().endswith(images.SUFFIXES):
                names.append(folder + name)
    return sorted(names)


def _classes(names):
    folders = sorted({name.split("/", 1)[0] if "/" in name else "" for name in names})
    return folders if len(folders) > 1 and "" not in folders else None


def _hold_out(source, names):
    if len(names) < 2:
        raise RequestError(f"data.source '{source}': one image, expected at least 2, to train and to test")
    ranks = [int.from_bytes(hashlib.blake2b(os.fsencode(name), digest_size=8).digest(), "big") for name in names]
    test = {name for name, rank in zip(names, ranks) if rank % _HELD_OUT == 0}
    if not 0 < len(test) < len(names):  # a handful of images
        test = {min(zip(ranks, names))[1]}
    return {"train": [name for name in names if name not in test], "test": [name for name in names if name in test]}


def _scan(root, names):
    """Looks at the ends of every local file, and at none of remote storage, where that would take minutes.

    Returns:
        ``(damaged, orientations)``: ``{name: reason}``, and ``{name: EXIF orientation}`` where it is not 1.
    """
    base = os.fspath(root)
    if "://" in base:
        return {}, {}

    def look(chunk):
        return [(name, *_look(f"{base}/{name}")) for name in chunk]

    chunks = [names[i : i + 1024] for i in range(0, len(names), 1024)]
    damaged, orientations = {}, {}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:  # waits for the disk, mostly
        for found in pool.map(look, chunks):
            damaged.update((name, why) for name, why, _ in found if why)
            orientations.update((name, orientation) for name, _, orientation in found if orientation != 1)
    return damaged, orientations


def _look(path):
    """Why the file at `path` is no whole image, or None; and its EXIF orientation, 1 to 8."""
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(_HEAD)
            size = len(head)
            if size == _HEAD:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL))
                tail = file.read(_TAIL)
            else:
                tail = head[-_TAIL:]
        if size == 0:
            return "empty", 1
        if not _looks_whole(head, tail, size):
            # Decoding tells; many a camera appends things to a sound file.
            with Image.open(path, formats=("JPEG", "PNG", "BMP", "GIF", "WEBP")) as image:
                image.load()
    except Exception as e:  # Pillow's readers raise nearly every type there is on damaged bytes
        return "no image" if isinstance(e, UnidentifiedImageError) else " ".join(str(e).split()), 1
    return None, _orientation(head)


def _orientation(head):
    start = head.find(b"Exif\0\0", 0, 64) if head.startswith(b"\xff\xd8") else -1
    if start < 0:
        return 1
    try:
        exif = Image.Exif()
        exif.load(head[start:])
        value = exif.get(0x0112, 1)
    except Exception:  # a damaged note about the image does not make the image unreadable
        return 1
    return value if value in range(1, 9) else 1


def _looks_whole(head, tail, size):
    if head.startswith(b"\xff\xd8\xff"):
        return b"\xff\xd9" in tail
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND" in tail
    if head.startswith((b"GIF87a", b"GIF89a")):
        return tail.endswith(b";")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return size >= 8 + int.from_bytes(head[4:8], "little")
    if head.startswith(b"BM"):
        return size >= int.from_bytes(head[2:6], "little") > 0
    return False
