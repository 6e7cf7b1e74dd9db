"""Samples of other tools: folders and arrays of every kind, and what is refused in one line."""

import json
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from export.evaluation import given_samples, subject
from export.evaluation.evaluator import evaluate
from export.image_values import reading_of
from export.report import document
from export.report.writer import write
from zoo.errors import RequestError
from zoo.pixels import to_float, to_uint8


@pytest.fixture(scope="module")
def images(digits):
    """240 training images of the digits, uint8 [240, 8, 8, 1], and their labels."""
    x, y = digits.arrays("train", 240)
    return np.asarray(to_uint8(x)), y


def write_folder(root, images, mode="L", names=None):
    for index, image in enumerate(images):
        path = root / (names[index] if names else f"{index:04}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).convert(mode).save(path)
    return root


def read_all(samples):
    """All samples in the order of the file."""
    return samples.read(np.arange(samples.available))


STORED = {
    "uint8 [N, H, W, C]": (lambda x: x, None),
    "uint8 [N, H, W]": (lambda x: x[..., 0], None),
    "int64": (lambda x: x.astype(np.int64), "read as bytes"),
    "float32 in [-1, 1]": (to_float, "from -1 to 1, read as values in [-1, 1]"),
    "float64 in [0, 1]": (lambda x: x / 255, "from 0 to 1, read as values in [0, 1]"),
    "float16 in [0, 255]": (lambda x: x.astype(np.float16), "read as values in [0, 255]"),
    "[N, C, H, W]": (lambda x: x.transpose(0, 3, 1, 2), "were transposed"),
    "column by column": (lambda x: np.asfortranarray(x), None),
}


@pytest.mark.parametrize("write", ["save", "savez", "savez_compressed"])
@pytest.mark.parametrize("stored, note", STORED.values(), ids=STORED)
def test_arrays_of_every_kind_give_the_same_pixels(stored, note, write, images, tmp_path):
    path = tmp_path / f"x.np{'z' if 'z' in write else 'y'}"
    getattr(np, write)(path, stored(images[0]))
    samples = given_samples.load(path)
    assert samples.data_shape == (8, 8, 1) and samples.available == 240 and samples.class_labels is None
    np.testing.assert_array_equal(read_all(samples), images[0])
    assert [note in text for text in samples.notes] == ([True] if note else [])


def test_values_are_rounded_and_clipped_to_bytes():
    levels = np.array([-0.4, 0.6, 254.4, 255.4], np.float32)
    for scale, span in ((1, (0, 255)), (1 / 255, (0, 1))):
        reading = reading_of(np.dtype("float32"), *span, "here", "They")
        np.testing.assert_array_equal(reading.to_bytes(levels * np.float32(scale)), [0, 1, 254, 255])


@pytest.mark.parametrize("key, of_labels", [("samples", "labels"), ("images", "labels"), ("arr_0", "arr_1")])
def test_labels_come_with_the_samples_in_a_fixed_random_order(key, of_labels, images, digits, tmp_path):
    order = np.argsort(images[1], kind="stable")
    np.savez(tmp_path / "x.npz", **{key: images[0][order], of_labels: np.eye(10)[images[1][order]]}, step=np.array(3))
    samples = given_samples.load(tmp_path / "x.npz").matched(digits)
    seeds = np.arange(240)
    drawn, labels = samples.sample(seeds), samples.labels(seeds)
    # As pairs the same, but no longer class by class.
    pairs = sorted(zip(drawn.reshape(240, -1).tolist(), labels.tolist()))
    assert pairs == sorted(zip(images[0].reshape(240, -1).tolist(), images[1].tolist()))
    assert (np.diff(labels) < 0).sum() > 50 and len(np.unique(labels[:60])) == 10
    np.testing.assert_array_equal(samples.sample(seeds[:7]), drawn[:7])
    again = np.flatnonzero(labels == 3)
    picked = samples.sample_with_labels([0, 1, len(again)], [3, 3, 3])
    np.testing.assert_array_equal(picked, drawn[[again[0], again[1], again[0]]])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "P"])
def test_a_folder_of_image_files_is_read_in_the_data_s_channels(mode, images, digits, tmp_path):
    pixels = images[0][:30] if mode != "1" else np.where(images[0][:30] > 127, 255, 0).astype(np.uint8)
    samples = given_samples.load(write_folder(tmp_path / "made", pixels, mode)).matched(digits)
    assert samples.data_shape == (8, 8, 1) and samples.labels is None
    np.testing.assert_array_equal(read_all(samples), pixels)
    expected = ["were stored with three channels"] if mode in ("RGB", "RGBA", "P") else []
    assert [text in note for text, note in zip(expected, samples.notes)] == [True] * len(samples.notes)


def test_transparent_pixels_16_bits_and_turned_photographs_are_read_as_elsewhere(tmp_path):
    rgba = np.zeros([1, 4, 4, 4], np.uint8)
    rgba[..., 0], rgba[..., 3] = 200, 51
    Image.fromarray(rgba[0]).save(tmp_path / "a.png")
    Image.fromarray(np.full([4, 4], 0x1234, np.uint16)).save(tmp_path / "b.png")
    upright = np.arange(16, dtype=np.uint8).reshape(4, 4)
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by half
    Image.fromarray(upright[::-1, ::-1]).save(tmp_path / "c.png", exif=exif)
    samples = given_samples.load(tmp_path)
    on_white, high_byte, turned = read_all(samples)
    assert (on_white == [200 * 0.2 + 255 * 0.8, 204, 204]).all() and (high_byte == 0x12).all()
    np.testing.assert_array_equal(turned, np.repeat(upright[..., None], 3, axis=-1))
    assert "1 of the samples have transparent pixels" in samples.notes[1] and not samples.grey


def test_class_folders_are_the_data_s_classes_by_name(images, digits, tmp_path):
    names = [f"{label}/{index}.png" for index, label in enumerate(images[1])]
    root = write_folder(tmp_path / "made", images[0], names=names)
    samples = given_samples.load(root).matched(digits)
    by_file = dict(zip(names, images[1]))
    expected = [by_file[name] for name in sorted(names)]
    np.testing.assert_array_equal(samples.class_labels, expected)
    # Without one of the classes the others keep their numbers.
    (root / "0").rename(tmp_path / "0")
    without = given_samples.load(root).matched(digits)
    np.testing.assert_array_equal(without.class_labels, [label for label in expected if label != 0])
    (tmp_path / "0").rename(root / "nought")
    samples = given_samples.load(root).matched(digits)
    assert samples.labels is None and "no class 'nought'" in samples.notes[-1]


def test_images_are_resized_as_the_data_s_are(images, digits, tmp_path):
    np.save(tmp_path / "x.npy", images[0][:20].repeat(3, axis=1).repeat(2, axis=2))
    samples = given_samples.load(tmp_path / "x.npy", image_size=8)
    assert samples.data_shape == (8, 8, 1) and "resized from 24×16 to 8×8" in samples.notes[0]
    cropped = images[0][:20].repeat(3, axis=1).repeat(2, axis=2)[:, 4:20]
    expected = tf.image.resize(cropped, [8, 8], antialias=True).numpy()
    np.testing.assert_array_equal(read_all(samples), np.rint(expected))
    write_folder(tmp_path / "made", images[0][:20].repeat(2, axis=1).repeat(2, axis=2))
    resized = read_all(given_samples.load(tmp_path / "made", image_size=8).matched(digits))
    # A block of equal pixels, resized to one: the antialiasing filter reaches into the neighbours.
    assert np.corrcoef(resized.ravel(), images[0][:20].ravel())[0, 1] > 0.95


def test_training_images_given_as_samples_land_where_a_generator_of_them_does(
    images, perfect, digits, extractor, good, tmp_path
):
    np.save(tmp_path / "x.npy", np.asarray(to_uint8(digits.arrays("train")[0])))
    evaluated = subject.of_samples(tmp_path / "x.npy", "digits")
    found = evaluate(evaluated.generator, evaluated.data, features=extractor, where=evaluated.where)
    # The same images in the same order as the generator of `good` gives them.
    assert found.metrics == good.metrics and found.classes == good.classes and found.sections == good.sections
    measured, not_measured = found.notes
    assert measured == "304 of the 1,493 samples were measured, chosen at random."
    assert not_measured.startswith("Not measured: vanishing gradients, non-convergence; it takes a run")
    report = document.compose(found, generator=evaluated.described, data=digits, num_asked=10_000, num_given=1493)
    page = write(report, found, [], tmp_path / "report").read_text()
    assert report["generator"] == {"origin": "samples", "path": str(tmp_path / "x.npy"), "data_shape": [8, 8, 1]}
    sampling = {"num_samples": 304, "num_asked": 10_000, "num_reference": 304, "num_given": 1493}
    assert json.loads((tmp_path / "report" / "report.json").read_text())["sampling"] == sampling
    assert "Given samples, chosen at random" in page and "Samples from" in page and "eeds" not in page


def test_labels_that_are_given_are_held_against_the_samples(images, digits, extractor, tmp_path):
    wrong = np.where(images[1] == 8, 3, images[1])
    np.savez(tmp_path / "x.npz", samples=images[0], labels=wrong)
    evaluated = subject.of_samples(tmp_path / "x.npz", "digits")
    found = evaluate(evaluated.generator, evaluated.data, where=evaluated.where)
    agreement = {entry["name"]: entry["agreement"] for entry in found.classes}
    assert agreement["8"] is None and agreement["0"] == 1 and 0.3 < agreement["3"] < 0.7
    assert set(found.samples_by_class) == set("0123456789") - {"8"} and len(found.samples_by_class["3"]) == 8
    assert evaluated.described["told_labels"] is True
    # Fewer than test images, and all of them.
    assert found.num_samples == 240 and not any("were measured" in note for note in found.notes)


def test_points_are_measured_too(ring, tmp_path):
    points = ring.arrays("train", 120)[0]
    np.savetxt(tmp_path / "x.csv", points, delimiter=",", header="x,y", comments="")
    np.savetxt(tmp_path / "bare.csv", points, delimiter=",")
    np.save(tmp_path / "x.npy", points)
    for name in ("x.csv", "bare.csv", "x.npy"):
        evaluated = subject.of_samples(tmp_path / name, "ring")
        np.testing.assert_allclose(read_all(evaluated.generator), points, rtol=1e-6)
    found = evaluate(evaluated.generator, evaluated.data, num_samples=100, where=evaluated.where)
    assert found.notes[0] == "100 of the 120 samples were measured, chosen at random." and len(found.notes) == 2
    assert found.metrics["modes_found"]["value"] == 8 and found.metrics["high_quality_share"]["value"] > 0.9


def test_few_samples_are_said_to_be_no_more_than_the_features(images, digits, extractor, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", images[0] / 255)
    samples = subject.of_samples(tmp_path / "x.npy", "digits").generator
    for dim, told in ((19, False), (20, True)):
        monkeypatch.setattr(extractor, "dim", dim)
        notes = evaluate(samples, digits, features=extractor, num_samples=20).notes
        found = "20 samples are no more than the 20 features: their covariance is singular"
        assert any(found in note for note in notes) == told
        assert "read as values in [0, 1]" in notes[0]


def _peak(path, count):
    """Peak of the memory that opening samples and reading `count` of them takes, in bytes."""
    tracemalloc.start()
    samples = given_samples.load(path)
    samples.sample(np.arange(count))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_holds_neither_an_array_nor_a_folder(tmp_path):
    big = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (2000, 64, 64, 3))
    big[:] = 0.25
    big[0] = -1
    del big  # 98 MB
    assert _peak(tmp_path / "x.npy", 100) < 25e6
    # Told by all of it, not by its last part.
    assert "from -1 to 0.25, read as values in [-1, 1]" in given_samples.load(tmp_path / "x.npy").notes[0]
    (tmp_path / "made").mkdir()
    for index in range(200):
        Image.fromarray(np.full([128, 128, 3], index, np.uint8)).save(tmp_path / "made" / f"{index}.png")
    assert _peak(tmp_path / "made", 10) < 4e6  # of 9.8 MB


def _damaged(folder, images):
    write_folder(folder, images)
    (folder / "0007.png").write_bytes((folder / "0007.png").read_bytes()[:-20])


def _odd_size(folder, images):
    write_folder(folder, images)
    Image.fromarray(np.zeros([9, 8], np.uint8)).save(folder / "0003.png")


def _coloured(folder, images):
    write_folder(folder, images, "RGB")
    Image.fromarray(np.full([8, 8, 3], [9, 9, 10], np.uint8)).save(folder / "0003.png")


def _cut(path, images):
    np.save(path, images)
    path.write_bytes(path.read_bytes()[:-100])


def _flipped(path, images):
    np.savez(path, images)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(bytes(data))


def _with_nan(images):
    values = to_float(images)
    values[11, 3, 3] = np.nan
    return values


REFUSED = {
    "missing": ("x.npy", lambda path, x: None, "no such file or folder"),
    "another kind": ("x.txt", lambda path, x: path.write_text("hello"), "expected a folder of images, or a file"),
    "an empty folder": ("x", lambda path, x: path.mkdir(), "no images in it"),
    "a damaged image": ("x", _damaged, "0007.png is damaged (ends early)"),
    "many sizes": ("x", _odd_size, "most are 8×8, 0003.png is 9×8; --image_size=PIXELS"),
    "a colour folder": ("x", _coloured, "colour images (3 channels), and 'digits' has grey images (1 channel)"),
    "cut short": ("x.npy", _cut, "cannot be read"),
    "one bit flipped": ("x.npz", _flipped, "is damaged (its checksum is wrong)"),
    "no zip file": ("x.npz", lambda path, x: path.write_bytes(b"hello"), "cannot be read"),
    "objects": ("x.npy", lambda path, x: np.save(path, np.array([{}] * 30)), "cannot be read"),
    "other names": (
        "x.npz",
        lambda path, x: np.savez(path, a=x, b=x),
        "holds a, b; expected the samples under samples, images, arr_0",
    ),
    "NaN": ("x.npy", lambda path, x: np.save(path, _with_nan(x)), "sample 11 holds values that are not finite"),
    "below every range": (
        "x.npy",
        lambda path, x: np.save(path, -x.astype(float)),
        "values from -255 to",
    ),
    "no range": ("x.npy", lambda path, x: np.save(path, to_float(x) * 3), "values from -3 to 3; expected images in"),
    "floats cut to integers": (
        "x.npy",
        lambda path, x: np.save(path, x // 255),
        "integers from 0 to 1; expected bytes",
    ),
    "large integers": ("x.npy", lambda path, x: np.save(path, x.astype(int) * 2), "integers from 0 to 510"),
    "strings": ("x.npy", lambda path, x: np.save(path, np.array(["a"] * 30)), "expected integers or floats"),
    "four channels": ("x.npy", lambda path, x: np.save(path, x.repeat(4, -1)), "of 1 or 3 channels"),
    "none": ("x.npy", lambda path, x: np.save(path, x[:0]), "no samples"),
    "few": ("x.npy", lambda path, x: np.save(path, x[:19]), "19 samples; an evaluation needs at least 20"),
    "flat": ("x.npy", lambda path, x: np.save(path, x.reshape(len(x), -1)), "points [N, 64], and 'digits' has 8×8×1"),
    "another size": (
        "x.npy",
        lambda path, x: np.save(path, x[:, :, 1:]),
        "images of 8×7×1, and 'digits' has 8×8×1; --im",
    ),
    "too few labels": ("x.npz", lambda path, x: np.savez(path, x, np.zeros(9, int)), "9 labels beside 240 samples"),
    "labels that are no numbers": ("x.npz", lambda path, x: np.savez(path, x, np.ones(240)), "expected integers [N]"),
    "a label too large": ("x.npz", lambda path, x: np.savez(path, x, np.arange(240) % 11), "label 10; 'digits' has 10"),
    "one class alone": (
        "x.npz",
        lambda path, x: np.savez(path, x, np.full(240, 3)),
        "all 240 labels are 3 (3), and 'digits' has 10 classes",
    ),
    "text among numbers": ("x.csv", lambda path, x: path.write_text("x,y\n1,2\n1,a\n"), "cannot be read"),
}


@pytest.mark.parametrize("name, write, message", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_measured_is_refused_in_one_line(name, write, message, images, extractor, tmp_path):
    write(tmp_path / name, images[0])
    with pytest.raises(RequestError) as caught:
        evaluated = subject.of_samples(tmp_path / name, "digits")
        evaluate(evaluated.generator, evaluated.data, features=extractor, where=evaluated.where)
    assert message in str(caught.value) and f"--samples: {tmp_path / name}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_points_of_another_dimension_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros([30, 3]))
    with pytest.raises(RequestError, match=r"points \[N, 3\], and 'ring' has \[N, 2\]"):
        subject.of_samples(tmp_path / "x.npy", "ring")
    with pytest.raises(RequestError, match="--data: missing"):
        subject.of_samples(tmp_path / "x.npy", None)
    with pytest.raises(RequestError, match=r"points, and 'folder:.*' has images"):
        subject.of_samples(tmp_path / "x.npy", f"folder:{tmp_path}")


def test_a_folder_of_data_is_read_as_the_samples_are_stored(images, tmp_path):
    real = write_folder(tmp_path / "real", images[0].repeat(2, axis=1).repeat(2, axis=2))
    made = write_folder(tmp_path / "made", images[0][:20])
    assert subject.of_samples(made, f"folder:{real}").data.data_shape == (8, 8, 1)
    assert subject.of_samples(made, f"folder:{real}", image_size=16).generator.data_shape == (16, 16, 1)
    np.save(tmp_path / "wide.npy", images[0][:, :4])
    with pytest.raises(RequestError, match=r"images of 4×8 pixels, and those of .* are cropped to squares"):
        subject.of_samples(tmp_path / "wide.npy", f"folder:{real}")


def test_the_program_refuses_bad_samples_before_tensorflow_is_imported(tmp_path):
    for name, values, message in (
        ("nan.npy", np.full([30, 8, 8], np.nan), "not finite"),
        ("small.npy", np.zeros([30, 7, 7]), "--image_size=PIXELS crops and resizes both alike"),
    ):
        np.save(tmp_path / name, values)
        code = "import sys; from export import evaluate; sys.argv += sys.argv.pop().split(); evaluate.run()"
        words = f"--samples={tmp_path / name} --data=digits --out={tmp_path / 'report'}"
        done = subprocess.run([sys.executable, "-X", "importtime", "-c", code, words], capture_output=True, text=True)
        errors = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
        assert done.returncode == 2 and message in errors[-1] and len(errors) == 1, errors
        assert "| tensorflow\n" not in done.stderr
