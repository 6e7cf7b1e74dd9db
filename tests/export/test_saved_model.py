import concurrent.futures
import io
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import zoo
from export import saved_model
from export.generators import Generator, find_saved_model, read_card
from export.metrics import intervals
from export.report import metric
from export.saved_model import export_saved_model
from zoo.errors import RequestError

# Reads a model with TensorFlow alone, both ways that models are read; prints what it got for three seeds.
_STRANGER = """
import sys
# Hidden even where the package is installed beside TensorFlow.
sys.modules.update(dict.fromkeys(["zoo", "trainers", "export", "configs"]))
import numpy as np, tensorflow as tf
try:
    import zoo
except ImportError:
    pass
else:
    raise SystemExit("zoo can be imported: this process is no stranger")
path, out = sys.argv[1:]
seeds = np.array([5, 2**40, -1])
model = tf.saved_model.load(path)
result = {}
result["eager"] = model.signatures["sample"](seeds=tf.constant(seeds))["images"].numpy()
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], path)
    for name, key, value in (("sample", "seeds", seeds), ("serving_default", "latents", np.ones([2, 8], np.float32))):
        signature = meta.signature_def[name]
        result[name] = session.run(signature.outputs["images"].name, {signature.inputs[key].name: value})
np.savez(out, **result)
"""


def test_a_process_with_tensorflow_alone_reads_it_eagerly_and_through_a_session(version, sampler, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _STRANGER, version, tmp_path / "out.npz"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(tmp_path / "out.npz") as got:
        here = Generator.of_sampler(sampler, 8, (32, 32, 3))
        np.testing.assert_array_equal(got["eager"], here.sample([5, 2**40, -1]))
        np.testing.assert_array_equal(got["sample"], got["eager"])
        np.testing.assert_allclose(got["serving_default"], sampler(np.ones([2, 8], np.float32)), atol=1e-5)
        assert got["serving_default"].dtype == np.float32


def test_a_seed_gives_the_same_pixels_in_any_batch(version):
    generator = Generator.load(version)
    seeds = np.arange(512)
    whole = generator.sample(seeds)
    assert whole.dtype == np.uint8 and whole.shape == (512, 32, 32, 3) and whole.std() > 20
    for size, count in ((1, 6), (3, 12), (8, 64), (64, 256), (100, 300)):
        parts = [generator.sample(seeds[start : start + size]) for start in range(0, count, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole[:count])
    np.testing.assert_array_equal(generator.sample(seeds[::-1]), whole[::-1])
    assert generator.sample([]).shape == (0, 32, 32, 3)


def test_a_mixture_of_generators_exports_as_one(tmp_path):
    network = {"latent_dim": 4, "base_filters": 4}
    generator = zoo.MixtureGenerator((8, 8, 1), 3, "dcgan", network)
    generator.logits.assign([0.0, 1.0, -1.0])
    path = export_saved_model(generator, generator.latent_dim, (8, 8, 1), tmp_path, "mixture")
    served, here = Generator.load(path), Generator.of_sampler(generator, 5, (8, 8, 1))
    assert (served.latent_dim, served.data_shape, served.parameters) == (5, (8, 8, 1), generator.count_params())
    seeds = np.arange(64)
    np.testing.assert_array_equal(served.sample(seeds), here.sample(seeds))
    np.testing.assert_array_equal(served.sample(seeds[::-1][:5]), served.sample(seeds)[::-1][:5])


def test_pixels_are_the_rounded_output_for_the_seeds_latents(version, sampler):
    from zoo.noise import Noise

    # As many as travel together, so that the network rounds alike.
    latents = Noise.of_seeds(np.arange(32)).normal("latents", [8])
    expected = np.clip(np.rint((sampler(latents).numpy() + 1) * 127.5), 0, 255)
    np.testing.assert_array_equal(Generator.load(version).sample(np.arange(32)), expected)
    signature = tf.saved_model.load(version).signatures["latents"]
    np.testing.assert_array_equal(signature(seeds=tf.range(32, dtype=tf.int64))["latents"], latents)


def test_bfloat16_changes_the_pixels_a_little_and_the_signatures_not_at_all(version, sampler, tmp_path):
    narrow = export_saved_model(sampler, 8, (32, 32, 3), tmp_path, "tiny", precision="bfloat16")
    cards = read_card(version), read_card(narrow)
    assert cards[0]["signatures"] == cards[1]["signatures"]
    assert [card["precision"] for card in cards] == ["float32", "bfloat16"]
    images = [Generator.load(path).sample(np.arange(40)).astype(int) for path in (version, narrow)]
    difference = np.abs(images[0] - images[1])
    # bfloat16 keeps 8 bits of a number. The kernels are blown up here, so that few outputs are near zero.
    assert 0 < difference.mean() < 4
    np.testing.assert_array_equal(Generator.load(narrow).sample([7]), images[1][7:8])
    # Asking for what the network does anyway changes nothing.
    twin = saved_model.in_precision(sampler, "float32")
    latents = np.ones([3, 8], np.float32)
    np.testing.assert_array_equal(twin(latents), sampler(latents))


def test_png_holds_the_pixels_of_sample(version):
    model = tf.saved_model.load(version)
    seeds = tf.constant([3, 4], tf.int64)
    encoded = model.signatures["png"](seeds=seeds)["png_bytes"].numpy()
    images = [np.asarray(Image.open(io.BytesIO(data))) for data in encoded]
    np.testing.assert_array_equal(images, model.signatures["sample"](seeds=seeds)["images"])


def test_no_training_state_inside(version, sampler):
    held = dict(tf.train.list_variables(str(version / "variables" / "variables")))
    held = [shape for name, shape in held.items() if "VARIABLE_VALUE" in name]
    assert sorted(held) == sorted(list(variable.shape) for variable in sampler.variables)


def test_the_model_card_tells_what_it_is(version):
    card = json.loads((version / "assets.extra" / "model_card.json").read_text())
    assert card["objective"] == "minimax" and card["step"] == 7
    assert card["signatures"]["sample"]["inputs"] == {"seeds": {"dtype": "int64", "shape": [None]}}
    assert card["signatures"]["sample"]["outputs"] == {"images": {"dtype": "uint8", "shape": [None, 32, 32, 3]}}
    assert card["signatures"]["png"]["outputs"] == {"png_bytes": {"dtype": "string", "shape": [None]}}
    text = (version / "assets.extra" / "model_card.md").read_text()
    assert "| `sample` | `seeds` int64 [N] | `images` uint8 [N, 32, 32, 3] |" in text and "Not measured." in text
    assert read_card(version) == card


def test_a_model_card_takes_reports_of_this_version_and_of_the_first(version, tmp_path):
    now = metric.metric(intervals.Interval(2.0, 1.0, 3.0, 0.9, "student"), "lower", "", num_samples=3)
    why_not = metric.metric(intervals.absent(2.0, "one block"), "lower", "", num_samples=3)
    first = {"value": 2.0, "interval": [1.0, 3.0], "level": 0.95, "method": "percentile", "resamples": 100}
    without = {"value": 2.0, "interval": None, "level": None}
    card, lines = version / "assets.extra" / "model_card.json", []
    for metrics in ({"a": why_not, "b": now}, {"a": without, "b": first}):
        tmp_path.joinpath("report.json").write_text(json.dumps({"metrics": metrics, "sections": {}}))
        folder = tmp_path / f"extra{len(lines)}"
        saved_model._write_extra(folder, json.loads(card.read_text()), tmp_path)
        lines += [line for line in (folder / "model_card.md").read_text().splitlines() if line[:3] in ("| a", "| b")]
    assert lines == [
        "| a | 2 | none (one block) |",
        "| b | 2 | 1 to 3 (90 %) |",
        "| a | 2 | none |",
        "| b | 2 | 1 to 3 (95 %) |",
    ]


def test_versions_count_up_and_the_newest_is_found(point_sampler, tmp_path):
    for _ in range(2):
        export_saved_model(point_sampler, 4, (2,), tmp_path, "points")
    (tmp_path / "points" / "10").mkdir()
    # A number that is taken is passed over, even one whose folder holds no model; that one is not found either.
    assert export_saved_model(point_sampler, 4, (2,), tmp_path, "points").name == "11"
    (tmp_path / "points" / "12").mkdir()
    assert find_saved_model(tmp_path / "points").name == "11"
    generator = Generator.load(tmp_path / "points")
    assert generator.data_shape == (2,) and generator.sample([1, 2]).dtype == np.float32
    np.testing.assert_array_equal(generator.sample([1, 2]), Generator.of_sampler(point_sampler, 4, (2,)).sample([1, 2]))
    assert sorted(path.name for path in (tmp_path / "points").iterdir()) == ["1", "10", "11", "12", "2"]


def test_writers_at_the_same_moment_get_different_versions(tmp_path):
    models = saved_model.epath.Path(tmp_path)

    def write(number):
        building = models / f".building-{number}"
        building.mkdir()
        (building / "saved_model.pb").write_text(str(number))
        return saved_model._number(building, models)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(write, range(32)))
    assert sorted(int(version.name) for version in versions) == list(range(1, 33))
    assert sorted((version / "saved_model.pb").read_text() for version in versions) == sorted(map(str, range(32)))


def test_a_failure_half_way_leaves_nothing(point_sampler, tmp_path, monkeypatch):
    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(saved_model, "_write_extra", fail)
    with pytest.raises(KeyboardInterrupt):
        export_saved_model(point_sampler, 4, (2,), tmp_path / "base", "points")
    assert not (tmp_path / "base").exists()
    monkeypatch.undo()
    export_saved_model(point_sampler, 4, (2,), tmp_path / "base", "points")
    monkeypatch.setattr(saved_model, "_write_extra", fail)
    with pytest.raises(KeyboardInterrupt):
        export_saved_model(point_sampler, 4, (2,), tmp_path / "base", "points")
    assert [path.name for path in (tmp_path / "base" / "points").iterdir()] == ["1"]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden"])
def test_a_name_that_is_no_folder_is_refused(point_sampler, tmp_path, name):
    with pytest.raises(RequestError, match="--model_name"):
        export_saved_model(point_sampler, 4, (2,), tmp_path, name)


def test_a_base_that_cannot_be_written_is_refused(point_sampler, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="--model_base_path"):
        export_saved_model(point_sampler, 4, (2,), tmp_path / "file", "name")
