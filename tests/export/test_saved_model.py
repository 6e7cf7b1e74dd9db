import concurrent.futures
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import zoo
from export import model_card, saved_model
from export.generators import Generator, find_saved_model
from export.packed_weights import PackedWeights
from export.saved_model import export_saved_model
from trainers.program import RunFailed
from zoo.errors import RequestError
from zoo.pretrained import cards

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


def test_bfloat16_changes_the_pixels_a_little_and_the_signatures_not_at_all(version, sampler, tmp_path):
    narrow = export_saved_model(sampler, 8, (32, 32, 3), tmp_path, "tiny", precision="bfloat16")
    of_both = cards.read(version), cards.read(narrow)
    assert of_both[0]["signatures"] == of_both[1]["signatures"]
    assert [card["precision"] for card in of_both] == ["float32", "bfloat16"]
    images = [Generator.load(path).sample(np.arange(40)).astype(int) for path in (version, narrow)]
    difference = np.abs(images[0] - images[1])
    # bfloat16 has 8 significant bits. The kernels are scaled up here, so that few outputs are near zero.
    assert 0 < difference.mean() < 4
    np.testing.assert_array_equal(Generator.load(narrow).sample([7]), images[1][7:8])
    # The network's own precision changes nothing.
    twin = saved_model.in_precision(sampler, "float32")
    latents = np.ones([3, 8], np.float32)
    np.testing.assert_array_equal(twin(latents), sampler(latents))


def test_fixed_point_weights_halve_the_file_and_keep_the_images_to_a_grey_level(version, sampler, tmp_path):
    # Its kernels are between those at the start of training and those of the fixture, which saturate the tanh.
    twin = type(sampler).from_config(sampler.get_config())
    twin.set_weights([weight / 2.5 if weight.ndim > 1 else weight for weight in sampler.get_weights()])
    packed, full = (
        export_saved_model(twin, 8, (32, 32, 3), tmp_path, name, storage=name) for name in ("int16", "float32")
    )
    sizes = [os.path.getsize(path / "variables" / "variables.data-00000-of-00001") for path in (packed, full)]
    assert 0.5 < sizes[0] / sizes[1] < 0.55
    images = [Generator.load(path).sample(np.arange(40)).astype(int) for path in (packed, full)]
    assert np.abs(images[0] - images[1]).max() <= 1
    assert np.ptp(images[1]) > 20
    # A seed's image does not depend on its batch here either.
    np.testing.assert_array_equal(Generator.load(packed).sample([7]), images[0][7:8])
    held = dict(tf.train.list_variables(str(packed / "variables" / "variables")))
    reader = tf.train.load_checkpoint(str(packed / "variables" / "variables"))
    dtypes = {
        len(shape): reader.get_tensor(name).dtype
        for name, shape in held.items()
        if name.startswith("generator_variables")
    }
    assert {rank: dtype for rank, dtype in dtypes.items() if rank} == {1: np.float32, 2: np.int16, 4: np.int16}
    assert cards.read(packed)["signatures"] == cards.read(full)["signatures"]
    assert cards.read(packed)["parameters"] == twin.count_params()


def test_fixed_point_weights_are_within_half_a_step_of_the_weights(sampler):
    packed = PackedWeights(sampler)
    for index, variable in enumerate(sampler.variables):
        weights, stored = variable.numpy().astype(np.float64), packed.stored[index].numpy()
        if weights.ndim < 2:
            np.testing.assert_array_equal(stored, weights.astype(np.float32))
        else:
            error = np.abs(stored * np.float64(packed.scales[str(index)].numpy()) - weights)
            # Half of the step, which is a 32,767th of the largest; the scale is rounded to float32.
            assert 0 < error.max() <= np.abs(weights).max() / 65_534 * (1 + 1e-2)


def test_fixed_point_weights_keep_a_conditional_generators_labels(tmp_path):
    generator = zoo.ConditionalGenerator((8, 8, 1), 3, "dcgan", {"latent_dim": 4, "base_filters": 4}, 5)
    generator.set_label_shares([0.2, 0.5, 0.3])
    half = export_saved_model(generator, generator.latent_dim, (8, 8, 1), tmp_path, "half", storage="int16")
    served, here = Generator.load(half), Generator.of_sampler(generator, generator.latent_dim, (8, 8, 1))
    seeds = np.arange(200)
    np.testing.assert_array_equal(served.labels(seeds), here.labels(seeds))
    told = [each.sample_with_labels(seeds[:9], seeds[:9] % 3).astype(int) for each in (served, here)]
    assert np.abs(told[0] - told[1]).max() <= 1


@pytest.mark.parametrize("scale", [1e6, 3e3])
def test_fixed_point_weights_that_would_change_the_samples_are_refused(scale, point_sampler, tmp_path):
    # Large numbers that cancel: what is left of them is below the least step.
    twin = type(point_sampler).from_config(point_sampler.get_config())
    weights = [weight.copy() for weight in point_sampler.get_weights()]
    weights[0][:, 1::2] = scale + weights[0][:, ::2]
    weights[0][:, ::2] = scale
    weights[2][1::2] = -weights[2][::2]
    twin.set_weights(weights)
    with pytest.raises(RunFailed, match=r"--storage: with weights in int16 a sample differs by .* grey levels"):
        export_saved_model(twin, 4, (2,), tmp_path / "base", "points", storage="int16")
    assert not (tmp_path / "base").exists()


def test_no_training_state_inside(version, sampler):
    held = dict(tf.train.list_variables(str(version / "variables" / "variables")))
    held = [shape for name, shape in held.items() if "VARIABLE_VALUE" in name]
    assert sorted(held) == sorted(list(variable.shape) for variable in sampler.variables)


def test_versions_count_up_and_the_newest_is_found(point_sampler, tmp_path):
    for _ in range(2):
        export_saved_model(point_sampler, 4, (2,), tmp_path, "points")
    (tmp_path / "points" / "10").mkdir()
    # A folder without a model still takes its version number, but is not found as a version.
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

    monkeypatch.setattr(model_card, "write", fail)
    with pytest.raises(KeyboardInterrupt):
        export_saved_model(point_sampler, 4, (2,), tmp_path / "base", "points")
    assert not (tmp_path / "base").exists()
    monkeypatch.undo()
    export_saved_model(point_sampler, 4, (2,), tmp_path / "base", "points")
    monkeypatch.setattr(model_card, "write", fail)
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
