"""Features of real images on disk: found again, kept apart by what they depend on, and never trusted when damaged."""

import os

import numpy as np
import pytest
from PIL import Image

from export.metrics import real_features
from export.metrics.feature_extractor import FeatureExtractor
from zoo import datasets
from zoo.datasets.arrays import ArrayDataset


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The cache, on and empty."""
    monkeypatch.setenv("TF_GAN_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TF_GAN_ZOO_FEATURE_CACHE")
    return tmp_path / "cache" / "real_features"


class Counting(FeatureExtractor):
    """Projections of 8×8 images that count the images they are asked for."""

    def __init__(self, linear=False, **changes):
        rng = np.random.default_rng(0)
        kernel, to_classes = rng.normal(size=(64, 5)), np.float32(rng.normal(size=(5, 3)))
        self.seen = 0

        def features(images):
            self.seen += len(images)
            return (images.reshape(-1, 64) @ kernel).astype(np.float32)

        metadata = {"name": "counting", "version": 1, "checksum": "a" * 64, "dim": 5, "num_classes": 3}
        metadata |= {"data_shape": (8, 8, 1), "preprocessing": "none", **changes}
        if linear:
            super().__init__(metadata, features, classify=lambda x: x @ to_classes)
        else:
            super().__init__(metadata, lambda images: (features(images), features(images)[:, :3]))


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


def assert_same(found, expected):
    for name in ("features", "logits", "labels", "shown"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("linear", [False, True])
def test_the_next_evaluation_finds_them(digits, folder, linear, monkeypatch):
    first = real_features.read(Counting(linear), digits, "train", 600)
    (batch,) = digits.batches("train", 600, seed=0, labels=True).take(1).as_numpy_iterator()
    expected, logits = Counting(linear).extract(batch.x)
    np.testing.assert_allclose(first.features, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(first.logits, logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(first.labels, batch.conditions["label"])
    assert len(first) == 600 and len(first.shown) == 64 and first.shown.dtype == np.uint8
    (file,) = folder.iterdir()
    later = Counting(linear)
    monkeypatch.setattr(digits, "batches", lambda *args, **kwargs: pytest.fail("read images"))
    assert_same(real_features.read(later, digits, "train", 600), first)
    assert later.seen == 0 and [path.name for path in folder.iterdir()] == [file.name]


def test_fewer_and_more_images_use_what_is_there(digits, folder, monkeypatch):
    real_features.read(Counting(), digits, "train", 600)
    for count, computed in ((300, 44), (512, 0), (1000, 1000 - 512), (600, 88)):
        extractor = Counting()
        found = real_features.read(extractor, digits, "train", count)
        assert extractor.seen == 2 * computed  # once for features, once for logits
        with monkeypatch.context() as patch:
            patch.setenv("TF_GAN_ZOO_FEATURE_CACHE", "off")
            # To the last bit: a whole batch is taken over, or none of it.
            assert_same(found, real_features.read(Counting(), digits, "train", count))
    assert len(list(folder.iterdir())) == 1


def test_nothing_else_is_mistaken_for_them(digits, folder):
    real_features.read(Counting(), digits, "test", 300)
    others = [
        (Counting(checksum="b" * 64), digits, "test"),
        (Counting(version=2), digits, "test"),
        (Counting(name="other"), digits, "test"),
        (Counting(preprocessing="other"), digits, "test"),
        (Counting(), digits, "train"),
        (Counting(), _changed(digits), "test"),
        (Counting(), _changed(digits, label=True), "test"),
    ]
    for number, (extractor, data, split) in enumerate(others):
        real_features.read(extractor, data, split, 300)
        assert extractor.seen == 600 and len(list(folder.iterdir())) == number + 2


def _changed(digits, label=False):
    """The digits with one pixel of the last test image, or its label, changed."""
    data = {}
    for split in ("train", "test"):
        x, y = (tensor.numpy().copy() for tensor in digits._tensors(split))
        data[split] = x, y
    if label:
        data["test"][1][-1] = (data["test"][1][-1] + 1) % 10
    else:
        data["test"][0][-1, 0, 0, 0] ^= 1
    return ArrayDataset("digits", data, num_classes=10)


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "shapes", "empty"])
def test_a_damaged_file_is_computed_again(digits, folder, damage):
    first = real_features.read(Counting(), digits, "test", 300)
    (file,) = folder.iterdir()
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        place = content.index(first.features[100].tobytes())
        file.write_bytes(content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :])
    elif damage == "other":
        with np.load(file) as arrays:
            np.savez(file, **{**arrays, "key": "another key", "features": first.features + 1})
    elif damage == "shapes":
        with np.load(file) as arrays:
            np.savez(file, **{**arrays, "labels": first.labels[:-1]})
    else:
        file.write_bytes(b"")
    extractor = Counting()
    assert_same(real_features.read(extractor, digits, "test", 300), first)
    assert extractor.seen == 600 and file.read_bytes() == content


def test_it_can_be_switched_off_and_need_not_be_writable(digits, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_GAN_ZOO_FEATURE_CACHE", "off")
    expected = real_features.read(Counting(), digits, "test", 100)
    assert not folder.exists()
    monkeypatch.delenv("TF_GAN_ZOO_FEATURE_CACHE")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TF_GAN_ZOO_CACHE", str(tmp_path / "file"))
    assert_same(real_features.read(Counting(), digits, "test", 100), expected)


def test_the_files_unused_for_longest_go_first(digits, folder, monkeypatch):
    for age, name in enumerate(("one", "two", "three")):
        real_features.read(Counting(name=name), digits, "test", 256)
        (file,) = (path for path in folder.iterdir() if path.stat().st_mtime > 1e6)
        os.utime(file, (1000 - age, 1000 - age))  # the first is the newest
    size = file.stat().st_size
    (folder / "leftover.txt").write_text("not one of them")
    real_features.read(Counting(name="two"), digits, "test", 256)  # used now
    monkeypatch.setattr(real_features, "_MOST_BYTES", 2 * size + size // 2)
    real_features.read(Counting(name="four"), digits, "test", 256)
    for name, kept in (("one", False), ("two", True), ("three", False), ("four", True)):
        extractor = Counting(name=name)
        monkeypatch.setattr(real_features, "_save", lambda *args: None)
        real_features.read(extractor, digits, "test", 256)
        assert (extractor.seen == 0) == kept, name
    assert (folder / "leftover.txt").exists()


def test_what_was_remembered_is_not_read_again(digits, folder, monkeypatch):
    extractor = Counting()
    found = real_features.read(extractor, digits, "test", 300)
    extractor.remember(digits, "test", found)
    monkeypatch.setattr(real_features, "_load", lambda *args: pytest.fail("read the file"))
    assert real_features.read(extractor, digits, "test", 300) is found
    assert len(real_features.read(extractor, digits, "test", 256)) == 256
    assert extractor.remembered(digits, "train") is None and extractor.remembered(_changed(digits), "test") is None


def test_a_folder_is_known_by_its_files(tmp_path, folder):
    rng = np.random.default_rng(0)
    for name in ("a/1", "a/2", "a/3", "b/1", "b/2", "b/3"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / "images" / f"{name}.png")

    def checksum(split="train", size=8):
        return datasets.load(f"folder:{tmp_path / 'images'}", image_size=size, channels=1).checksum(split)

    first = checksum()
    assert checksum() == first and len(first) == 64
    assert first != checksum("test") and first != checksum(size=16)
    (name, *_) = datasets.load(f"folder:{tmp_path / 'images'}", image_size=8).paths["train"]
    file = tmp_path / "images" / name
    status = file.stat()
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    second = checksum()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(file)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    third = checksum()  # another size, the same time
    file.unlink()
    assert len({first, second, third, checksum()}) == 4
