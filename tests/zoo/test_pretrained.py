"""Pretrained models: the index, what is checked before a model is loaded, and what a loaded one does."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import zoo
from export.generators import Generator
from zoo import grids, pretrained
from zoo.errors import RequestError
from zoo.pixels import to_uint8
from zoo.pretrained import find_saved_model, index
from zoo.pretrained.networks import EXTRA

NAMES = sorted(index.read())


@pytest.fixture
def home(tmp_path):
    """A copy of the index with one small model, to damage."""
    name = min(NAMES, key=lambda name: index.read()[name]["bytes"])
    shutil.copytree(index.HOME.joinpath(*name.split("/")), tmp_path.joinpath(*name.split("/")))
    (tmp_path / "index.json").write_text(json.dumps({"models": {name: index.read()[name]}}))
    return tmp_path, name


def test_the_index_is_listed_filtered_and_printed():
    every = zoo.list_models()
    assert [row["name"] for row in every] == NAMES
    digits = zoo.list_models(data="digits")
    assert {row["name"].split("/")[0] for row in zoo.list_models(data="fashion_mnist")} == {"fashion_mnist"}
    assert digits and {row["data"] for row in digits} == {"digits"}
    assert [row["name"] for row in zoo.list_models(data="digits", method="conditional")] == ["digits/conditional"]
    assert zoo.list_models(method="no such method") == []
    for metric in ("frechet_distance", "precision", "modes_found"):
        ranked = [row["metrics"][metric]["value"] for row in zoo.list_models(metric=metric)]
        assert ranked == sorted(ranked) and len(ranked) >= 2
    head, *lines = str(digits).splitlines()
    assert head.split()[:4] == ["name", "method", "data", "MB"] and "frechet_distance" in head
    assert [line.split()[0] for line in lines] == [row["name"] for row in digits]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_what_its_index_and_card_say(name):
    entry, model = index.read()[name], zoo.load(name)
    assert entry["bytes"] - index.digest(pretrained.locate(name) / EXTRA)[1] <= 2_500_000
    assert index.digest(pretrained.locate(name)) == (entry["sha256"], entry["bytes"])
    assert {key: value["value"] for key, value in entry["metrics"].items()} == {
        key: value["value"] for key, value in model.report["metrics"].items()
    }
    samples = model.sample(8, seed=3)
    assert samples.shape == (8, *model.card["data_shape"])
    np.testing.assert_array_equal(samples, Generator.load(f"zoo:{name}").sample(np.arange(3, 11)))
    assert set(model.signatures) == set(model.card["signatures"])
    assert repr(model) == f"zoo.load({name!r})"


@pytest.mark.parametrize("name", NAMES)
def test_the_pictures_of_its_report_are_those_of_its_seeds(name):
    model = zoo.load(name)
    if len(model.card["data_shape"]) == 1:
        pytest.skip("a plot of points is no picture of single seeds")
    shown = np.asarray(Image.open(model.path / EXTRA / "samples.png").convert("L"), int)
    names, samples = None, model.sample(64)
    if "sample_with_labels" in model.card["signatures"]:
        names = model.card["class_names"] or [str(label) for label in range(model.card["num_classes"])]
        samples = np.concatenate([model.sample(8, label=label) for label in range(len(names))])
    expected = np.asarray(grids.image_grid(samples, names=names).convert("L"), int)
    assert shown.shape == expected.shape and np.abs(shown - expected).max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_as_a_keras_model_it_has_the_samples_of_its_signatures(name):
    model = zoo.load(name)
    generator = model.keras_model()
    assert isinstance(generator, keras.Model) and generator.count_params() == model.card["parameters"]
    latents = model.signatures["latents"](seeds=tf.range(5, dtype=tf.int64))["latents"]
    found = generator(latents, training=False)
    expected = model.sample(5).astype(np.float64)
    if expected.ndim == 4:
        # A pass of another size sums in another order, which may round a pixel to the next level.
        assert np.abs(to_uint8(found).numpy().astype(int) - expected).max() <= 1
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_network_that_trained_a_generator_is_beside_it(name):
    model = zoo.load(name)
    other = "encoder" if name.endswith("/vae") else "critic"
    assert model.networks == ["generator", other]
    trained, untrained = model.keras_model(other), model.keras_model(other, load_weights=False)
    assert trained.count_params() == untrained.count_params() > 0
    examples = tf.cast(model.sample(6), tf.float32)
    told = {name: tf.range(6, dtype=tf.int64) for name in getattr(trained, "conditions", ())}
    found, fresh = trained(examples, training=False, **told), untrained(examples, training=False, **told)
    assert np.isfinite(found).all() and np.abs(found - fresh).min() > 1e-6
    with pytest.raises(RequestError, match=rf"network: 'player'; expected one of 'generator', '{other}'$"):
        model.keras_model("player")


def test_a_network_class_gives_its_network_of_a_preset():
    critic = zoo.DCGANCritic.from_preset("digits/non_saturating")
    assert type(critic) is zoo.DCGANCritic
    expected = zoo.load("digits/non_saturating").keras_model("critic")
    for variable, same in zip(critic.variables, expected.variables, strict=True):
        np.testing.assert_array_equal(variable, same)
    fresh = zoo.DCGANGenerator.from_preset("digits/non_saturating", load_weights=False)
    trained = zoo.DCGANGenerator.from_preset("digits/non_saturating")
    assert fresh.count_params() == trained.count_params()
    assert all(np.abs(a - b).max() > 0 for a, b in zip(fresh.trainable_variables, trained.trainable_variables))
    assert type(zoo.ConditionalGenerator.from_preset("digits/conditional")) is zoo.ConditionalGenerator
    assert type(zoo.MixtureCritic.from_preset("ring/mixture")) is zoo.MixtureCritic
    message = r"^MLPCritic.from_preset: 'digits/conditional' holds ConditionalGenerator and ConditionalCritic$"
    with pytest.raises(RequestError, match=message):
        zoo.MLPCritic.from_preset("digits/conditional")


def test_interpolation_goes_from_one_seed_to_another_at_even_angles():
    name = next(name for name in NAMES if name.startswith("ring"))
    model = zoo.load(name)
    path = model.interpolate(3, 8, 5)
    assert len(path) == 5
    np.testing.assert_allclose(path[[0, -1]], [model.sample(1, seed=seed)[0] for seed in (3, 8)], rtol=1e-4, atol=1e-5)
    one, two = model.signatures["latents"](seeds=tf.constant([3, 8], tf.int64))["latents"].numpy().astype(np.float64)
    # The middle of a great circle, from the unit vectors' sum: an arc of half the angle, between the lengths.
    angle = np.arccos(one @ two / np.linalg.norm(one) / np.linalg.norm(two))
    middle = (one + two) / (2.0 * np.cos(angle / 2.0))
    expected = next(iter(model.signatures["serving_default"](latents=tf.constant([middle], tf.float32)).values()))
    np.testing.assert_allclose(path[2], expected[0], rtol=1e-4, atol=1e-5)
    # From a seed to itself the angle is 0, or what rounding leaves of it.
    for seed in range(10):
        expected = np.repeat(model.sample(1, seed=seed), 3, axis=0)
        np.testing.assert_allclose(model.interpolate(seed, seed, 3), expected, rtol=1e-4, atol=1e-5)


def test_a_conditional_model_is_asked_for_a_class_by_number_or_name():
    model = zoo.load("digits/conditional")
    served = Generator.load("zoo:digits/conditional")
    expected = served.sample_with_labels(np.arange(4), np.full(4, 7))
    np.testing.assert_array_equal(model.sample(4, label=7), expected)
    np.testing.assert_array_equal(model.sample(4, label="7"), expected)
    for wrong in (10, -1, "eight", 1.5):
        with pytest.raises(RequestError, match=r"^label: .*; expected a class number, 0 to 9, or a name: 0, .*"):
            model.sample(4, label=wrong)
    with pytest.raises(RequestError, match=r"^label: 7; the model is told no labels$"):
        zoo.load("digits/non_saturating").sample(4, label=7)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(RequestError, match=r"^zoo.load: 'digits/conditionel'; did you mean 'digits/conditional'"):
        zoo.load("digits/conditionel")
    with pytest.raises(RequestError, match=r"^--saved_model: 'x'; expected one of 'digits/conditional', 'digits/non"):
        find_saved_model("zoo:x")


def test_a_path_without_the_prefix_is_a_directory(tmp_path):
    model = tmp_path / "zoo:x" / "1"
    model.mkdir(parents=True)
    (model / "saved_model.pb").touch()
    assert find_saved_model(tmp_path / "zoo:x") == find_saved_model(model) == model


@pytest.mark.parametrize("damage", ["changed", "gone", "more", "renamed"])
def test_files_that_are_not_those_of_the_index_are_refused(damage, home):
    home, name = home
    folder = pretrained.locate(name, home=home)
    graph = next(folder.rglob("saved_model.pb"))
    if damage == "changed":
        content = bytearray(graph.read_bytes())
        content[len(content) // 2] ^= 1
        graph.write_bytes(content)
    elif damage == "gone":
        shutil.rmtree(folder)
    elif damage == "more":
        (folder / "more").write_text("")
    else:
        graph.rename(graph.with_name("saved_model.pbtxt"))
    with pytest.raises(RequestError, match=f"^--saved_model: .* has another checksum than the index tells of '{name}'"):
        pretrained.locate(name, "--saved_model", home)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda entry: entry.pop("sha256"), "sha256: None; expected a text"),
        (lambda entry: entry.update(version=0), "version: 0; expected a whole number, 1 to"),
        (lambda entry: entry.update(metrics=[]), "metrics: \\[\\]; expected a dict"),
    ],
)
def test_an_index_that_is_not_as_its_schema_is_refused(change, message, home):
    home, name = home
    text = json.loads((home / "index.json").read_text())
    change(text["models"][name])
    (home / "index.json").write_text(json.dumps(text))
    with pytest.raises(RequestError, match=f"index.json, {name}.{message}"):
        index.read(home)
    for broken in ("", "[]", '{"models": 3}', f'{{"models": {{"{name}": 3}}}}'):
        (home / "index.json").write_text(broken)
        with pytest.raises(RequestError, match=r"index\.json"):
            index.read(home)
