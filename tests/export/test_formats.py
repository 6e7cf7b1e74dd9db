"""Other formats than SavedModel: each file, in its own runtime, gives what the generator gives."""

import importlib.util
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from etils import epath

import configs.ring
import zoo
from export import formats, model_card
from export.saved_model import export_saved_model
from trainers import build as building
from trainers import config as config_checks
from trainers import training
from trainers.program import RunFailed
from zoo.errors import RequestError
from zoo.noise import Noise
from zoo.pretrained import cards

ROOT = pathlib.Path(__file__).parents[2]
EVERY = list(formats.FORMATS)
DCGAN = {"latent_dim": 4, "base_filters": 4}

GENERATORS = {
    "virtual batch normalisation": lambda: zoo.DCGANGenerator((8, 8, 1), normalization="virtual_batch", **DCGAN),
    "mixture": lambda: zoo.MixtureGenerator((8, 8, 1), 3, "dcgan", DCGAN),
    "conditional": lambda: zoo.ConditionalGenerator((8, 8, 1), 3, "dcgan", DCGAN, 4),
    "codes": lambda: zoo.CodedGenerator((8, 8, 1), (3,), 2, "dcgan", DCGAN),
}

# In a process of its own, which has none of this package's classes yet.
_LOAD = """
import sys
import keras, numpy as np
import zoo.networks
from zoo.pretrained import cards
model = keras.saving.load_model(sys.argv[1])
np.save(sys.argv[3], model(np.load(sys.argv[2]), training=False))
"""


def strong(made):
    """A generator with kernels far larger than at the start of training, so that outputs fill their range."""
    keras.utils.set_random_seed(0)
    generator = made()
    for variable in generator.variables:
        if "kernel" in variable.path:
            variable.assign(variable * 8.0)
    return generator


def latents_of(generator, count=40):
    return Noise.of_seeds(range(1000, 1000 + count)).latents(generator.latent_dim).numpy()


@pytest.mark.parametrize("made", GENERATORS.values(), ids=list(GENERATORS))
def test_every_file_gives_the_generators_outputs_for_any_number_of_latents(made, tmp_path):
    generator = strong(made)
    written = formats.write(EVERY, generator, generator.latent_dim, generator.data_shape, epath.Path(tmp_path))
    assert list(written) == EVERY
    latents = latents_of(generator)
    expected = np.asarray(generator(latents, training=False))
    assert expected.std() > 0.05
    for name, facts in written.items():
        path = tmp_path / facts["file"]
        assert facts["bytes"] == path.stat().st_size and facts["largest_difference"] <= 1e-5
        run = formats.FORMATS[name].read(path)
        for rows in (slice(0, 2), slice(2, 3), slice(0, 40)):
            np.testing.assert_allclose(run(latents[rows]), expected[rows], atol=1e-5, rtol=0)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_every_file_holds_a_growing_generator_at_its_level(level, tmp_path):
    keras.utils.set_random_seed(0)
    generator = zoo.ProgressiveGenerator((8, 8, 1), latent_dim=4, filter_base=8)
    for image in generator.to_images:
        image.trainable_weights[0].assign(image.trainable_weights[0] / 6)  # within the range, as of a trained one
    generator.level.assign(level)
    expected = np.asarray(generator(latents_of(generator), training=False))
    assert expected.std() > 0.05
    formats.write(EVERY, generator, 4, generator.data_shape, epath.Path(tmp_path))
    generator.level.assign(1.0 - level)  # a file keeps its own
    for row in formats.FORMATS.values():
        np.testing.assert_allclose(row.read(tmp_path / row.file)(latents_of(generator)), expected, atol=1e-5, rtol=0)


def test_a_version_holds_the_files_and_its_model_card_lists_them_whatever_the_storage(tmp_path):
    twin = strong(lambda: zoo.DCGANGenerator((8, 8, 1), **DCGAN))
    version = export_saved_model(
        twin, 4, (8, 8, 1), tmp_path, "m", storage="int16", formats=["saved_model", "keras", "onnx", "keras"]
    )
    extra, card = version / model_card.EXTRA, cards.read(version)
    assert list(card["formats"]) == ["keras", "onnx"]
    page = (extra / "model_card.md").read_text()
    for name, facts in card["formats"].items():
        assert facts["bytes"] == (extra / facts["file"]).stat().length
        assert f"| {name} | `{facts['file']}` | {facts['bytes']:,} |" in page
    # Weights in 16 bits would be off by more.
    latents = latents_of(twin)
    np.save(tmp_path / "latents.npy", latents)
    command = [sys.executable, "-c", _LOAD, extra / "generator.keras", tmp_path / "latents.npy", tmp_path / "out.npy"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), twin(latents, training=False), atol=1e-5, rtol=0)


def _another(change):
    """A reader whose outputs are changed."""
    return lambda path: lambda latents: change(formats._read_keras(path)(latents))


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (_another(lambda x: x + np.float32(2e-5)), r"differs from the generator's by 2\S*e-05; expected at most 1e-05"),
        (_another(lambda x: np.where(np.arange(len(x))[:, None] == 2, np.nan, x)), "by nan"),
        (_another(lambda x: x[:1]), "by inf"),
        (_another(lambda x: (_ for _ in ()).throw(ValueError("no such\noperation"))), "no such operation"),
    ],
    ids=["another", "not a number", "another number", "an error"],
)
def test_a_file_that_differs_leaves_nothing_of_its_version(read, told, tmp_path, monkeypatch):
    generator = zoo.MLPGenerator((1,), latent_dim=4, hidden_units=(4,), output_activation="tanh")
    monkeypatch.setitem(formats.FORMATS, "keras", formats.FORMATS["keras"]._replace(read=read))
    with pytest.raises(RunFailed, match=rf"^--formats: keras: .*{told}"):
        export_saved_model(generator, 4, (1,), tmp_path / "base", "points", formats=["keras"])
    assert not (tmp_path / "base").exists()


def test_points_far_from_zero_may_differ_in_proportion(tmp_path, monkeypatch):
    generator = zoo.MLPGenerator((2,), latent_dim=4, hidden_units=(4,))
    generator.variables[-1].assign([1000.0, -1000.0])
    for factor, ok in ((1 + 5e-6, True), (1 + 5e-5, False)):
        row = formats.FORMATS["keras"]._replace(read=_another(lambda x, factor=factor: x * np.float32(factor)))
        monkeypatch.setitem(formats.FORMATS, "keras", row)
        if ok:
            formats.write(["keras"], generator, 4, (2,), epath.Path(tmp_path))
        else:
            with pytest.raises(RunFailed, match="differs"):
                formats.write(["keras"], generator, 4, (2,), epath.Path(tmp_path))


def test_other_precisions_are_for_keras_alone(point_sampler, tmp_path):
    path = export_saved_model(point_sampler, 4, (2,), tmp_path, "p", precision="bfloat16", formats=["keras"])
    assert list(cards.read(path)["formats"]) == ["keras"]
    loaded = keras.saving.load_model(path / model_card.EXTRA / "generator.keras")
    assert loaded.dtype_policy.compute_dtype == "bfloat16"
    for name in ("onnx", "litert"):
        with pytest.raises(RequestError, match=f"--formats: '{name}' computes in float32, .* in bfloat16; use --prec"):
            export_saved_model(point_sampler, 4, (2,), tmp_path / "q", "p", precision="bfloat16", formats=[name])
    assert not (tmp_path / "q").exists()


def test_a_format_is_refused_by_name_or_for_want_of_its_packages(monkeypatch):
    with pytest.raises(RequestError, match="--formats: 'onxx'; did you mean 'onnx'"):
        formats.check(["saved_model", "onxx"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("onnx", "tf2onnx") else name)
    formats.check(["saved_model", "keras", "litert"])
    with pytest.raises(RequestError, match=r"--formats: 'onnx' needs tf2onnx, onnx; pip install '\.\[formats\]'"):
        formats.check(["onnx"])


def test_the_program_writes_them_and_prints_the_version_alone(tmp_path):
    config = configs.ring.get_config()
    config.update_from_flattened_dict({"train.steps": 1, "train.checkpoint_every": 1, "train.steps_per_execution": 1})
    training.train(building.build(config, config_checks.check(config), workdir=tmp_path / "run"))
    (tmp_path / "run" / "report").mkdir()
    (tmp_path / "run" / "report" / "report.json").write_text(
        '{"generator": {"step": 1}, "metrics": {}, "sections": {}}'
    )
    command = [sys.executable, "-m", "export.saved_model", f"--workdir={tmp_path}/run", "--model_name=ring"]

    def export(*arguments):
        return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True)

    wrong = export(f"--model_base_path={tmp_path}/models", "--formats=onnx", "--precision=bfloat16")
    assert wrong.returncode == 2 and wrong.stderr.count("\n") == 1 and "computes in float32" in wrong.stderr
    done = export(f"--model_base_path={tmp_path}/models", "--formats=saved_model,keras,onnx,litert")
    version = tmp_path / "models" / "ring" / "1"
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{version}\n", "")
    assert list(cards.read(version)["formats"]) == EVERY
