"""A super-resolution model: its signatures, image files made larger, and its report."""

import dataclasses
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import zoo
from export import upscale
from export.evaluation.evaluator import evaluate
from export.generators import Generator
from export.metrics.restoration import bicubic, low_resolution
from export.saved_model import export_saved_model
from export.serving.servable import Servable
from zoo.errors import RequestError
from zoo.pixels import to_float, to_uint8


@pytest.fixture(scope="module")
def network(digits):
    keras.utils.set_random_seed(0)
    generator = zoo.SRGANGenerator((8, 8, 1), blocks=1, base_filters=4)
    for variable in generator.variables:
        if "kernel" in variable.path:
            variable.assign(variable * 2.0)
    generator.adapt(digits)
    return generator


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    """Directory of an exported version of `network`, for reading only."""
    return export_saved_model(network, 1, (8, 8, 1), tmp_path_factory.mktemp("models"), "sr", formats=["keras"])


def test_all_signatures_agree(exported, network):
    functions = tf.saved_model.load(exported).signatures
    generator, rng = Generator.load(exported), np.random.default_rng(0)
    for count, height, width in ((3, 5, 7), (1, 1, 2), (0, 4, 4)):
        images = rng.integers(0, 256, [count, height, width, 1], np.uint8)
        found = generator.upscale(images)
        assert found.dtype == np.uint8 and found.shape == (count, 4 * height, 4 * width, 1)
        made = functions["generate_with_low_resolution"](low_resolution=to_float(images))["images"].numpy()
        np.testing.assert_array_equal(to_uint8(made), found)
        if count:
            np.testing.assert_allclose(made, network.upscale(to_float(images)), atol=1e-5)
            np.testing.assert_array_equal(generator.upscale(images[:1]), found[:1])
    assert np.ptp(generator.upscale(rng.integers(0, 256, [1, 4, 4, 1]))) > 20
    with pytest.raises(tf.errors.InvalidArgumentError, match="low_resolution: expected 262144 pixels at most, found"):
        generator.upscale(np.zeros([1, 2**10, 2**8 + 1, 1], np.uint8))
    small = functions["low_resolution"](seeds=tf.range(40, dtype=tf.int64))["low_resolution"]
    assert small.shape == (40, 2, 2, 1)
    # Bytes lie up to half a level beside the images that seeds choose.
    np.testing.assert_allclose(generator.upscale(small), np.int64(generator.sample(np.arange(40))), atol=12)


def test_a_server_runs_it_from_warm_up_on(exported):
    servable = Servable(str(exported))
    try:
        images = np.random.default_rng(0).integers(0, 256, [2, 3, 5, 1], np.uint8)
        (found,) = servable.signature("upscale").run({"low_resolution": images}).values()
        np.testing.assert_array_equal(found, Generator.load(exported).upscale(images))
    finally:
        servable.close()


def test_files_are_upscaled_as_a_viewer_shows_them(tmp_path):
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, [3, 5, 3], np.uint8)
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(colours).save(folder / "colours.png")
    clear = np.dstack([colours, np.zeros([3, 5], np.uint8)])
    Image.fromarray(clear, "RGBA").save(folder / "clear.png")
    turned, exif = Image.fromarray(colours), Image.Exif()
    exif[274] = 6  # to be turned clockwise
    turned.save(folder / "turned.PNG", exif=exif)
    (folder / "notes.txt").write_text("no image")
    pictures = upscale.plan(str(folder), f"{tmp_path}/out/")
    assert [target.name for _, target in pictures] == ["clear.png", "colours.png", "turned.png"]
    upscale.write_all(pictures, lambda images: images.repeat(4, axis=1).repeat(4, axis=2))

    def written(name):
        return np.asarray(Image.open(tmp_path / "out" / name))

    np.testing.assert_array_equal(written("colours.png"), colours.repeat(4, axis=0).repeat(4, axis=1))
    np.testing.assert_array_equal(written("turned.png"), np.rot90(written("colours.png"), -1))
    assert written("clear.png").min() == 255
    grey = upscale.read(pictures[1][0], channels=1)
    assert grey.shape == (3, 5, 1) and (grey[..., 0] == np.asarray(Image.fromarray(colours).convert("L"))).all()


@pytest.mark.parametrize(
    "source, out, message",
    [
        ("nothing", "out/", "nothing'; expected an image file, or a folder"),
        ("empty", "out/", "holds no image; expected files of .png"),
        ("two", "one.png", "one.png'; expected FOLDER/ .with the slash. for the images"),
        ("two/a.png", "a.jpg", "a.jpg'; expected FILE.png or FOLDER/"),
        ("two/a.png", "", "''; expected FILE.png or FOLDER/"),
        ("two/a.png", "two/", "a.png is one of the images themselves"),
        ("twins", "out/", "a.jpg and a.png would both become a.png"),
    ],
)
def test_what_cannot_be_written_is_refused(source, out, message, tmp_path):
    for name in ("empty/notes.txt", "two/a.png", "two/b.png", "twins/a.png", "twins/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(RequestError, match=message):
        upscale.plan(f"{tmp_path}/{source}", out and f"{tmp_path}/{out}")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("text")
    Image.new("L", (600, 600)).save(tmp_path / "large.png")
    for name, message in (
        ("text.png", "cannot be read as an image"),
        ("large.png", "600x600 pixels; expected at most"),
    ):
        ((path, _),) = upscale.plan(str(tmp_path / name), f"{tmp_path}/out/")
        with pytest.raises(RequestError, match=f"{name}:? .*{message}|{name}: {message}"):
            upscale.read(path)


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--num=3", "--out=x.png"], "--num: 3; only for samples of seeds"),
        (["--label=3", "--out=x.png"], "--label: 3; only for samples of seeds"),
    ],
)
def test_a_wrong_request_gets_one_line_and_exit_code_2(flags, message, labelled_version, tmp_path):
    Image.new("L", (2, 2)).save(tmp_path / "small.png")
    command = [
        sys.executable,
        "-m",
        "export.sample",
        f"--saved_model={labelled_version}",
        f"--images={tmp_path}/small.png",
    ]
    done = subprocess.run([*command, *flags], capture_output=True, text=True)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_another_generator_upscales_nothing(labelled_version):
    with pytest.raises(RequestError, match="--images: model makes images of seeds alone; expected a super-resolution"):
        upscale.of(Generator.load(labelled_version), "model")


def test_the_program_writes_what_the_generator_makes(exported, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, [3, 2], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "small.png")
    command = [sys.executable, "-m", "export.sample", f"--saved_model={exported}", f"--images={tmp_path}/small.png"]
    done = subprocess.run([*command, f"--out={tmp_path}/large.png"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = Generator.load(exported).upscale(pixels[None, ..., None])[0, ..., 0]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "large.png")), expected)


def test_a_report_compares_with_bicubic_resizing(network, digits, extractor):
    generator = Generator.of_sampler(network, 1, (8, 8, 1))
    found = evaluate(generator, digits, features=extractor, num_samples=50)
    originals, _ = digits.arrays("test")
    assert found.samples.shape == (50, 8, 8, 1) and any("not independent" in note for note in found.notes)
    # The samples are of the images beside them.
    np.testing.assert_array_equal(found.samples, generator.upscale(low_resolution(found.reference)))
    for name in ("psnr", "ssim", "perceptual_distance"):
        ours, theirs = found.metrics[name], found.metrics[f"{name}_of_bicubic"]
        assert ours["num_samples"] == ours["num_reference"] == 50
        assert ours["interval"][0] < ours["value"] < ours["interval"][1]
        difference = found.sections["super_resolution"]["rests_on"][f"{name}_minus_bicubic"]
        np.testing.assert_allclose(difference, ours["value"] - theirs["value"], atol=1e-9)
    # An untrained network is no match.
    assert found.sections["super_resolution"]["level"] == "severe"
    assert len(originals) > 50


def test_verdicts(network, digits, extractor):
    table = {}
    for image in to_uint8(digits.arrays("test")[0]):
        table.setdefault(low_resolution(image[None]).tobytes(), image)
    generator = Generator.of_sampler(network, 1, (8, 8, 1))
    perfect = dataclasses.replace(generator, upscale=lambda small: np.stack([table[each.tobytes()] for each in small]))
    found = evaluate(perfect, digits, features=extractor, num_samples=50)
    section = found.sections["super_resolution"]
    assert section["level"] == "none" and "Nearer to the test images than bicubic resizing:" in section["verdict"]
    assert found.metrics["ssim"]["value"] > 0.95 and found.metrics["perceptual_distance"]["value"] < 0.1
    equal = dataclasses.replace(generator, upscale=bicubic)
    section = evaluate(equal, digits, features=extractor, num_samples=50).sections["super_resolution"]
    assert section["level"] == "severe" and set(section["rests_on"].values()) == {0.0}
