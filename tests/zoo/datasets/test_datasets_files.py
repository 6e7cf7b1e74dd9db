"""Images from files: IDX, folders, TFDS; sound ones and damaged ones."""

import gzip
import io
import json
import os
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import zoo.datasets
from zoo.captions import Tokenizer
from zoo.datasets import folder, images
from zoo.datasets import tfds as tfds_source
from zoo.errors import RequestError

RNG = np.random.default_rng(0)


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(struct.pack(">I", n) for n in array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def idx_dir(tmp_path):
    for prefix, num, end in (("train", 30, ".gz"), ("t10k", 10, "")):
        for kind, array in (("images-idx3", RNG.integers(0, 256, (num, 6, 5))), ("labels-idx1", np.arange(num) % 3)):
            content = idx_bytes(array)
            path = tmp_path / f"{prefix}-{kind}-ubyte{end}"
            path.write_bytes(gzip.compress(content) if end else content)
    return tmp_path


def test_idx(idx_dir):
    data = zoo.datasets.load(f"idx:{idx_dir}")
    assert data.data_shape == (6, 5, 1) and data.num_classes == 3
    assert (data.num_examples("train"), data.num_examples("test")) == (30, 10)
    x, y = data.arrays("test")
    stored = (idx_dir / "t10k-images-idx3-ubyte").read_bytes()[16:]
    np.testing.assert_array_equal(np.round((x + 1) * 127.5).astype(np.uint8).tobytes(), stored)
    np.testing.assert_array_equal(y, np.arange(10) % 3)
    assert zoo.datasets.load(f"idx:{idx_dir}", image_size=8).arrays("train")[0].shape == (30, 8, 8, 1)


def damage_cut_gzip(d):
    path = d / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    return r"train-images-idx3-ubyte.gz: the gzip stream ends early, after \d+ bytes, expected 916"


def damage_not_gzip(d):
    (d / "train-images-idx3-ubyte.gz").write_bytes(b"hello, this is no gzip")
    return "train-images-idx3-ubyte.gz: cannot be read"


def damage_short(d):
    path = d / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    return r"t10k-images-idx3-ubyte: 315 bytes, expected 316"


def damage_magic(d):
    (d / "t10k-images-idx3-ubyte").write_bytes(b"\x89PNG....")
    return "not an IDX file: it starts with 0x89504e47"


def damage_type(d):
    (d / "t10k-images-idx3-ubyte").write_bytes(bytes([0, 0, 13, 3]) + bytes(12))
    return "element type 0x0d"


def damage_header(d):
    (d / "t10k-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3]) + bytes(4))
    return "8 bytes, expected a header of 16"


def damage_shape(d):
    (d / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((10, 4, 5))))
    return r"training images are \(6, 5, 1\)"


def damage_labels(d):
    (d / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(9)))
    return "beside 10 images"


def damage_missing(d):
    (d / "t10k-images-idx3-ubyte").unlink()
    return "no t10k-images-idx3-ubyte"


@pytest.mark.parametrize("damage", [v for k, v in list(globals().items()) if k.startswith("damage_")])
def test_damaged_idx(idx_dir, damage):
    with pytest.raises(RequestError, match=damage(idx_dir)) as caught:
        zoo.datasets.load(f"idx:{idx_dir}")
    assert "\n" not in str(caught.value)


def test_a_named_pipe_is_never_opened(idx_dir):
    for make in (lambda path: path.symlink_to(os.devnull), os.mkfifo):  # a device, which at least would end
        (idx_dir / "t10k-labels-idx1-ubyte").unlink()
        make(idx_dir / "t10k-labels-idx1-ubyte")
        with pytest.raises(RequestError, match="t10k-labels-idx1-ubyte: cannot be read: not a regular file"):
            zoo.datasets.load(f"idx:{idx_dir}")


def encode(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decode(encoded, size=None, channels=3, orientation=None):
    return images.decode(tf.constant(encoded), size, channels, orientation).numpy()


def test_crop_resize_and_shrinking_agree_with_pillow():
    ramp = np.add.outer(np.arange(300) * 0.5, np.arange(400) * 0.25)
    image = Image.fromarray(np.stack([ramp, ramp / 2, 255 - ramp], -1).astype(np.uint8))
    wanted = np.asarray(image.crop((50, 0, 350, 300)).resize((16, 16), Image.Resampling.BILINEAR)).astype(int)
    for kind in ("PNG", "JPEG"):
        assert np.abs(decode(encode(image, kind), 16) - wanted).max() <= 4
    # Where neighbours differ, every pixel must count.
    noise = Image.fromarray(RNG.integers(0, 256, (48, 48, 3), np.uint8))
    wanted = np.asarray(noise.resize((16, 16), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(decode(encode(noise, "PNG"), 16) - wanted).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(tmp_path, orientation):
    from PIL import ImageOps

    image = Image.fromarray(np.kron(RNG.integers(0, 256, (3, 3, 3)), np.ones((8, 8, 1))).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    image.save(path, exif=exif, quality=95)
    assert folder.inspect(path.read_bytes()) == (orientation, None, 24)
    with Image.open(path) as stored:
        wanted = np.asarray(ImageOps.exif_transpose(stored)).astype(int)
    assert np.abs(decode(path.read_bytes(), 24, 3, orientation) - wanted).max() <= 12


def paint(path, label, size=(12, 9)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (20 * label, 0, 0)).save(path)


@pytest.fixture
def image_dir(tmp_path):
    for label, name in enumerate(["cat", "dog", "owl"]):
        for i in range(20):
            paint(tmp_path / name / f"{i:02}.{('jpg', 'png', 'JPEG')[i % 3]}", label)
    return tmp_path


def test_folder_with_classes_and_a_held_out_tenth(image_dir):
    data = zoo.datasets.load(f"folder:{image_dir}", image_size=8)
    assert data.data_shape == (8, 8, 3) and data.class_names == data.spec.display_names == ("cat", "dog", "owl")
    assert data.num_examples("train") + data.num_examples("test") == 60
    assert 1 <= data.num_examples("test") <= 15
    assert not set(data.paths["train"]) & set(data.paths["test"])
    before = set(data.paths["test"])
    x, y = data.arrays("train")
    np.testing.assert_allclose((x[:, 4, 4, 0] + 1) * 127.5, 20 * y, atol=3)
    assert len(set(y[:20].tolist())) == 3
    for batch in data.batches("train", 16, seed=1, labels=True).take(2):
        labels = batch.conditions["label"].numpy()
        np.testing.assert_allclose((batch.x[:, 4, 4, 0] + 1) * 127.5, 20 * labels, atol=3)
    paint(image_dir / "cat" / "another.png", 0)
    after = set(zoo.datasets.load(f"folder:{image_dir}", image_size=8).paths["test"])
    assert after - {"cat/another.png"} == before


def test_folder_with_splits_and_without_classes(tmp_path):
    for i in range(4):
        paint(tmp_path / "train" / f"{i}.png", i)
        paint(tmp_path / "val" / f"{i}.png", i)
    data = zoo.datasets.load(f"folder:{tmp_path}", image_size=8, channels=1)
    assert data.num_classes is None and data.data_shape == (8, 8, 1)
    assert (data.num_examples("train"), data.num_examples("test")) == (4, 4)
    x, y = data.arrays("test")
    assert y is None and x.shape == (4, 8, 8, 1)
    for i in range(4):
        paint(tmp_path / "below" / "only" / f"{i}.png", i)
    assert zoo.datasets.load(f"folder:{tmp_path}/below", image_size=8).num_classes is None


def caption(path, *rows):
    path.write_text("".join(json.dumps({"file_name": name, "text": text}) + "\n" for name, text in rows) + "\n")


def test_captions_of_a_folder_follow_their_images(image_dir):
    names = [f"{name}/{i:02}.{('jpg', 'png', 'JPEG')[i % 3]}" for name in ("cat", "dog", "owl") for i in range(20)]
    rows = [(name, f"{name.split('/')[0]} no {name.split('/')[1][:2]}, {told}") for name in names for told in "ab"]
    caption(image_dir / "captions.jsonl", *reversed(rows))
    data = zoo.datasets.load(f"folder:{image_dir}", image_size=8)
    for split in data.splits:
        for path, texts in zip(data.paths[split], data.captions.texts(split), strict=True):
            assert texts == tuple(text for name, text in reversed(rows) if name == path)
    assert data.spec.caption_words == 4 and {"cat", "no", "07", "a", "b"} <= set(data.spec.vocabulary)
    tokenizer = Tokenizer(data.spec.vocabulary, 4)
    for batch in data.batches("train", 16, seed=0, labels=True, tokenizer=tokenizer).take(4):
        for text, label in zip(tokenizer.texts(batch.conditions["caption"]).numpy(), batch.conditions["label"].numpy()):
            assert text.decode().split()[0] == data.class_names[label]
    assert zoo.datasets.load(f"folder:{image_dir}/cat", image_size=8).captions is None


@pytest.mark.parametrize("place", ["above", "beside"])
def test_captions_of_a_folder_with_splits(tmp_path, place):
    for part in ("train", "test"):
        for i in range(3):
            paint(tmp_path / part / f"{i}.png", i)
        if place == "beside":
            caption(tmp_path / part / "captions.jsonl", *((f"{i}.png", f"{part} {i}") for i in range(3)))
    if place == "above":
        rows = [(f"{part}/{i}.png", f"{part} {i}") for part in ("test", "train") for i in range(3)]
        caption(tmp_path / "captions.jsonl", *rows)
    data = zoo.datasets.load(f"folder:{tmp_path}", image_size=8)
    assert data.spec.vocabulary == ("train", "0", "1", "2")
    for part in data.splits:
        assert data.captions.texts(part) == [(f"{part} {i}",) for i in range(3)]


def test_wrong_captions(tmp_path):
    for i in range(4):
        paint(tmp_path / f"{i}.png", i)
    rows, path = [(f"{i}.png", "one") for i in range(4)], tmp_path / "captions.jsonl"
    source = f"data.source 'folder:{tmp_path}': "
    for wrong, message in (
        (rows[1:], f"{source}captions.jsonl has no caption of {tmp_path}/0.png, nor of 0 other images"),
        (rows[:2], f"captions.jsonl has no caption of {tmp_path}/2.png, nor of 1 other images"),
        ([*rows, ("5.png", "x")], f"captions.jsonl has a caption of '5.png', and {tmp_path} holds no such image"),
        ([*rows, ("0.png", " ! ")], f"{path}, line 5: the caption ' ! ' of '0.png'; expected a file's name, and words"),
        ([*rows, (7, "x")], f"{path}, line 5: the caption 'x' of 7; expected a file's name"),
    ):
        caption(path, *wrong)
        with pytest.raises(RequestError) as refused:
            zoo.datasets.load(f"folder:{tmp_path}", image_size=8)
        assert message in str(refused.value) and "\n" not in str(refused.value)
    for content, message in (
        (b'{"file_name": "0.png"}\n', 'line 1: expected {"file_name": "…", "text": "…"}, found \'{"file_name"'),
        (b"[]", "line 1: expected"),
        (b"no json", "line 1: expected"),
        (b"\xff\xfe", f"{path} cannot be read"),
    ):
        path.write_bytes(content)
        with pytest.raises(RequestError) as refused:
            zoo.datasets.load(f"folder:{tmp_path}", image_size=8)
        assert message in str(refused.value) and "\n" not in str(refused.value)
    path.unlink()
    for part in ("train", "test"):
        paint(tmp_path / part / "0.png", 1)
    caption(tmp_path / "train" / "captions.jsonl", ("0.png", "one"))
    with pytest.raises(RequestError, match=r"no captions.jsonl in .*/test, beside .*/train"):
        zoo.datasets.load(f"folder:{tmp_path}", image_size=8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_truncated_empty_and_foreign_files_are_found_by_the_scan(image_dir, kind):
    whole = encode(Image.fromarray(RNG.integers(0, 256, (32, 32, 3), np.uint8)), kind)
    for content in (whole[: len(whole) * 2 // 3], b"", b"<html>not found</html>"):
        (image_dir / "dog" / "00.jpg").write_bytes(content)
        with pytest.raises(RequestError, match=r"1 of 60 images are damaged, the first .*dog/00.jpg \(.*=skip"):
            zoo.datasets.load(f"folder:{image_dir}", image_size=8)
        data = zoo.datasets.load(f"folder:{image_dir}", image_size=8, on_corrupt="skip")
        assert data.num_examples("train") + data.num_examples("test") == 59
    (image_dir / "dog" / "00.jpg").write_bytes(whole + bytes(300))  # something appended to a sound file
    zoo.datasets.load(f"folder:{image_dir}", image_size=8)


def test_wrong_folders(tmp_path):
    for source, options, message in [
        (f"folder:{tmp_path}/nope", {"image_size": 8}, "no such directory"),
        (f"folder:{tmp_path}", {"image_size": 8}, "no images"),
        (f"folder:{tmp_path}", {}, "data.image_size None"),
    ]:
        with pytest.raises(RequestError, match=message):
            zoo.datasets.load(source, **options)
    paint(tmp_path / "train" / "a" / "1.png", 1)
    paint(tmp_path / "train" / "b" / "1.png", 1)
    paint(tmp_path / "test" / "c" / "1.png", 1)
    with pytest.raises(RequestError, match="class 'c'"):
        zoo.datasets.load(f"folder:{tmp_path}", image_size=8)


def test_an_iterator_dropped_in_the_middle_does_not_hang(image_dir):
    data = zoo.datasets.load(f"folder:{image_dir}", image_size=8)
    for _ in range(3):
        next(iter(data.batches("train", 16, seed=0)))


@pytest.fixture(scope="module")
def tfds_dir(tmp_path_factory):
    import tensorflow_datasets as tfds

    def examples(num):
        for i in range(num):
            yield i, {"image": np.full((7, 5, 3), 10 * i, np.uint8), "label": i % 2, "comment": "x"}

    directory = tmp_path_factory.mktemp("tfds")
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(None, None, 3)), "label": tfds.features.ClassLabel(names=["a", "b"]),
         "comment": tfds.features.Text()}
    )  # fmt: skip
    builder = tfds.dataset_builders.AdhocBuilder(
        name="tiny_images", version="1.0.0", features=features, data_dir=directory,
        split_datasets={"train": examples(20), "validation": examples(6)},
    )  # fmt: skip
    builder.download_and_prepare()
    return directory


def test_tfds(tfds_dir, monkeypatch):
    with pytest.raises(RequestError, match=r"data.image_size None"):
        zoo.datasets.load("tfds:tiny_images", data_dir=tfds_dir)
    data = zoo.datasets.load("tfds:tiny_images", image_size=4, data_dir=tfds_dir)
    assert data.data_shape == (4, 4, 3) and data.class_names == ("a", "b")
    assert (data.num_examples("train"), data.num_examples("test")) == (20, 6)
    x, y = data.arrays("train")
    numbers = np.round((x[:, 0, 0, 0] + 1) * 12.75).astype(int)
    np.testing.assert_array_equal(np.sort(numbers), np.arange(20))
    np.testing.assert_array_equal(y, numbers % 2)
    assert next(iter(data.batches("test", 4, seed=0))).x.shape == (4, 4, 4, 3)
    monkeypatch.setattr(tfds_source, "MEMORY_LIMIT", 100)
    with pytest.raises(RequestError, match="GiB decoded"):
        zoo.datasets.load("tfds:tiny_images", image_size=4, data_dir=tfds_dir)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist", "not prepared in .*; prepare it with: tfds build mnist --data_dir="),
        ("cifar1o", "near it: cifar10"),
        ("cifar10:9.0.0", "9.0.0"),
        ("tiny_images/no_config", "tiny_images"),
    ],
)
def test_wrong_tfds(tfds_dir, name, message):
    with pytest.raises(RequestError, match=message) as caught:
        zoo.datasets.load(f"tfds:{name}", image_size=8, data_dir=tfds_dir)
    assert "\n" not in str(caught.value)
