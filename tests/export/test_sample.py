import errno
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from export import sample
from export.generators import Generator
from export.saved_model import export_saved_model
from zoo.errors import RequestError
from zoo.pretrained import cards


@pytest.fixture(scope="module")
def told_none(point_sampler, tmp_path_factory):
    """Directory of a version whose data had classes that its generator is not told."""
    card = {"num_classes": 2, "class_names": ["cat", "dog"]}
    return export_saved_model(point_sampler, 4, (2,), tmp_path_factory.mktemp("models"), "points", card=card)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)


def test_seeds_count_up_from_the_first(sampler):
    generator = Generator.of_sampler(sampler, 8, (32, 32, 3))
    drawn = np.concatenate(list(sample.draw(generator, range(3, 73))))
    assert drawn.shape == (70, 32, 32, 3)
    np.testing.assert_array_equal(drawn[[0, 69]], generator.sample([3, 72]))


def test_one_label_for_all_seeds(labelled_version, told_none):
    generator, seeds = Generator.load(labelled_version), np.arange(3, 73)
    drawn = np.concatenate(list(sample.draw(generator, range(3, 73), 2)))
    np.testing.assert_array_equal(drawn, generator.sample_with_labels(seeds, np.full(70, 2)))
    assert np.any(drawn != generator.sample(seeds))
    # Where no model card says so, the model itself knows what it takes.
    with pytest.raises(RequestError, match="--label: 3; the model has no such class"):
        next(sample.draw(generator, range(5), 3))
    with pytest.raises(RequestError, match="--label: 0; the model is told no labels"):
        next(sample.draw(Generator.load(told_none), range(5), 0))


def test_a_png_is_a_grid(images, tmp_path):
    sample.write(images, tmp_path / "new" / "grid.png")
    grid = np.asarray(Image.open(tmp_path / "new" / "grid.png"))
    # Three columns of two rows, each image enlarged to 64 pixels, with gaps of two.
    assert grid.shape == (2 * 66 - 2, 3 * 66 - 2)
    np.testing.assert_array_equal(grid[66::8, 66 : 66 + 64 : 8], images[4, ..., 0])


def test_a_folder_takes_one_file_an_image(images, tmp_path):
    sample.write(images, f"{tmp_path}/folder/", first_seed=10)
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == [f"seed_{s:08d}.png" for s in range(10, 15)]
    np.testing.assert_array_equal(Image.open(tmp_path / "folder" / "seed_00000012.png"), images[2, ..., 0])


def test_arrays_come_back_bit_for_bit(images, tmp_path):
    sample.write(images, tmp_path / "images.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), images)
    points = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    sample.write(points, tmp_path / "points.csv")
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "points.csv", delimiter=",", dtype=np.float32), points)
    sample.write(points, tmp_path / "points.png")
    assert Image.open(tmp_path / "points.png").size == (640, 640)


def test_what_does_not_fit_is_refused(images, tmp_path):
    for samples, out in ((images, tmp_path / "x.csv"), (np.zeros([3, 2], np.float32), f"{tmp_path}/folder/")):
        with pytest.raises(RequestError, match="--out"):
            sample.write(samples, out)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot be written"):
        sample.write(images, tmp_path / "file" / "x.png")


def test_a_full_disk_is_no_fault_of_the_request(images, tmp_path, monkeypatch):
    """The program says then that the run failed, exit code 1, rather than that the request was wrong."""

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sample, "write_whole", full)
    with pytest.raises(OSError, match=r"No space left on device: .*/x\.npy"):
        sample.write(images, tmp_path / "x.npy")


@pytest.mark.parametrize(
    "num, out, most",
    [
        (10**12, "x.npy", "4,294,967,296"),
        (10_001, "x.png", "10,000"),
        # 64 bytes an image; two numbers of 16 characters a point.
        (2**26 + 1, "x.npy", "67,108,864"),
        (2**27 + 1, "x.csv", "134,217,728"),
    ],
)
def test_more_samples_than_one_file_takes_are_refused(num, out, most, images, tmp_path):
    batches = iter([images] if out != "x.csv" else [np.zeros([3, 2], np.float32)])
    with pytest.raises(RequestError, match=rf"--num: {num}; '.*{out}' takes up to {most} samples"):
        sample.check_num(num, f"{tmp_path}/{out}")
        sample.write_all(batches, num, f"{tmp_path}/{out}")
    assert not list(tmp_path.iterdir())
    sample.check_num(num, f"{tmp_path}/folder/")


def test_samples_that_come_in_batches_are_written_as_one(images, tmp_path):
    sample.write_all(iter([images[:2], images[2:]]), 5, tmp_path / "x.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), images)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--out=x.png"], "--saved_model, --server: neither given"),
        (["--server=localhost", "--model=x", "--out=x.png"], "'localhost'; expected HOST:PORT"),
        (["--server=localhost:1", "--out=x.png"], "--model: missing"),
        (["--saved_model=/nonexistent", "--out=x.png"], "/nonexistent: no such directory"),
        (["--saved_model=model", "--out=/proc/x.png"], "--out: /proc cannot be written"),
        (["--saved_model=/", "--out=x.tiff"], "'x.tiff'; expected FILE.png"),
        (["--saved_model=/", "--num=0", "--out=x.png"], "num"),
        (["--saved_model=/", "--number=1"], "number"),
        (["--saved_model=model", "--version_label=stable", "--out=x.png"], "--version_label: only for --server"),
        (["--saved_model=labelled", "--label=3", "--out=x.png"], "'3'; expected a class number, 0 to 2, or a name: "),
        (["--saved_model=labelled", "--label=bags", "--out=x.png"], "'bags'; expected a class number, 0 to 2, or a"),
        (["--saved_model=told_none", "--label=cat", "--out=x.png"], "--label: 'cat'; the model is told no labels"),
        (
            ["--server=localhost:1", "--model=x", "--label=stable", "--out=x.png"],
            "'stable'; expected a class number, 0 or more; a version's label is --version_label",
        ),
    ],
)
def test_a_wrong_request_gets_one_line_and_exit_code_2(flags, message, tmp_path, labelled_version, told_none):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    for name, path in (("model", tmp_path), ("labelled", labelled_version), ("told_none", told_none)):
        flags = [flag.replace(f"saved_model={name}", f"saved_model={path}") for flag in flags]
    done = _program(*flags)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_label_is_a_number_or_a_name(labelled_version, tmp_path):
    card = cards.read(labelled_version)
    assert [cards.class_number(card, asked, "--label") for asked in ("1", "bag", "boot")] == [1, 1, 2]
    # The program asks for that class; one process shows it.
    done = _program(f"--saved_model={labelled_version}", "--label=boot", "--num=3", f"--out={tmp_path}/x.npy")
    assert done.returncode == 0, done.stderr
    expected = Generator.load(labelled_version).sample_with_labels(np.arange(3), np.full(3, 2))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected)


def _program(*flags):
    return subprocess.run([sys.executable, "-m", "export.sample", *flags], capture_output=True, text=True, timeout=120)
