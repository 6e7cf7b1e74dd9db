"""Codes in a report: their information against NumPy, the classes they stand for, traversals; and as inputs."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from by_hand import generator_of, write_report
from scipy import stats

import configs.digits
import zoo
from export.evaluation import codes
from export.evaluation.context import PointContext
from export.evaluation.evaluator import evaluate
from export.generators import Generator
from export.saved_model import export_saved_model
from trainers import build as building
from zoo import datasets
from zoo.noise import Noise
from zoo.pixels import to_uint8


def model_of(generator, posterior, scale=None):
    return types.SimpleNamespace(
        sampler=generator,
        scale=scale,
        posterior=posterior,
        latents=lambda seeds: Noise.of_seeds(seeds).latents(generator.latent_dim),
    )


@pytest.fixture
def coded():
    keras.utils.set_random_seed(0)
    network = {"latent_dim": 3, "base_filters": 4}
    generator = zoo.CodedGenerator((8, 8, 1), (10, 3), 2, "dcgan", network)
    for variable in generator.variables:
        if "kernel" in variable.path:
            variable.assign(variable * 8.0)  # outputs fill the range
    return generator


def test_a_method_with_a_posterior_and_no_codes_is_measured_without_them():
    run = building.build(configs.digits.get_config("vae"), datasets.load("digits"))
    context = types.SimpleNamespace(run=run)
    assert hasattr(run.model, "posterior") and codes.described(context) is None
    assert not any(metric.needs(context) for metric in codes.METRICS)


def random_posterior(generator, scale):
    """Q's parameters, a linear function of the examples."""
    outputs = sum(generator.categories) + generator.continuous * (1 if scale else 2)
    size = int(np.prod(generator.data_shape))
    weights = np.random.default_rng(0).normal(size=(size, outputs)).astype(np.float32) / 8
    return lambda x: tf.matmul(tf.reshape(x, [len(x), -1]), weights)


@pytest.mark.parametrize("scale", [None, 0.7])
def test_information_and_traversals_are_those_of_the_codes(coded, digits, extractor, tmp_path, scale):
    posterior = random_posterior(coded, scale)
    model = model_of(coded, posterior, scale)
    generator = Generator.of_sampler(coded, coded.latent_dim, coded.data_shape)
    run = types.SimpleNamespace(model=model)
    found = evaluate(generator, digits, features=extractor, num_samples=60, first_seed=5, run=run)

    latents = model.latents(np.arange(60) + 5)
    chosen, values = (each.numpy() for each in coded.codes(latents))
    parameters = posterior(coded(latents)).numpy().astype(np.float64)
    logits, means = np.split(parameters[:, :13], [10], axis=1), parameters[:, 13:15]
    scales = np.full_like(means, scale) if scale else np.exp(parameters[:, 15:])
    expected = []
    for code, (of_code, size) in enumerate(zip(logits, (10, 3))):
        log_shares = of_code - np.log(np.exp(of_code).sum(1, keepdims=True))
        expected.append(log_shares[np.arange(60), chosen[:, code]] + np.log(size))
    expected += list((stats.norm.logpdf(values, means, scales) + np.log(2)).T)
    # float32.
    np.testing.assert_allclose(
        [entry["information"] for entry in found.codes], np.mean(expected, axis=1), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose([entry["entropy"] for entry in found.codes], np.log([10, 3, 2, 2]))
    assert [entry["values"] for entry in found.codes] == [10, 3, None, None]
    error = np.std(expected, axis=1, ddof=1) / np.sqrt(60) * stats.t.ppf(0.975, 59)
    spread = [entry["interval"][1] - entry["information"] for entry in found.codes]
    np.testing.assert_allclose(spread, error, rtol=1e-4)
    metric = found.metrics["mutual_information"]
    np.testing.assert_allclose(metric["value"], np.sum(np.mean(expected[:2], axis=1)), rtol=1e-4)
    assert "real" not in metric and f"H(c) = {np.log(30):.4g}" in metric["about"]

    rows = list(found.traversals.values())
    names = [name.strip() for name in found.traversals if name.strip()]
    assert names == ["categorical code 1", "categorical code 2", "continuous code 1", "continuous code 2"]
    assert len(rows) == 8 and all(row.shape == (10, 8, 8, 1) for row in rows)
    second = model.latents([6]).numpy()
    column = stats.norm.ppf((7 + 0.5) / 10)
    second[0, 0] = column
    np.testing.assert_allclose(rows[1][7].astype(int), to_uint8(coded(second)).numpy()[0], atol=1)
    third = model.latents([5]).numpy()
    third[0, 2] = stats.norm.ppf((1 + 0.95) / 2)
    np.testing.assert_allclose(rows[4][9].astype(int), to_uint8(coded(third)).numpy()[0], atol=1)
    assert (rows[2][3:] == 255).all() and not (rows[2][:3] == 255).all()

    page = write_report(found, digits, tmp_path).read_text()
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "Two rows for each code" in page and "![Images that differ in one code](traversals.png)" in markdown
    assert f"| categorical code 1 | 10 | {found.codes[0]['information']:.4g} |" in markdown


def test_a_code_stands_for_the_class_that_agrees_most_on_training_examples(coded, digits, extractor):
    permuted = np.random.default_rng(1).permutation(10)
    labels = {each.tobytes(): label for split in ("train", "test") for each, label in zip(*digits.arrays(split))}

    def posterior(x):
        seen = np.array([permuted[labels.get(each.tobytes(), 0)] for each in np.asarray(x)])
        wrong = np.array([each.mean() > limit for each in np.asarray(x)])
        seen = np.where(wrong, (seen + 1) % 10, seen)
        return np.concatenate([10.0 * np.eye(10)[seen], np.zeros([len(x), 7])], axis=1).astype(np.float32)

    x, _ = digits.arrays("test", 300)
    limit = np.quantile(x.mean(axis=(1, 2, 3)), 0.8)
    generator = Generator.of_sampler(coded, coded.latent_dim, coded.data_shape)
    run = types.SimpleNamespace(model=model_of(coded, posterior))
    metric = evaluate(generator, digits, features=extractor, num_samples=300, run=run).metrics["clustering_accuracy"]
    assert metric["value"] == pytest.approx(0.8, abs=0.01)
    assert metric["interval"][0] < 0.8 < metric["interval"][1] and metric["num_reference"] == 300


def test_other_generators_have_no_codes(good, ring):
    assert good.codes is None and good.traversals is None
    assert not {"mutual_information", "clustering_accuracy"} & good.metrics.keys()
    points = ring.arrays("train", 20)[0]
    for run in (None, types.SimpleNamespace(model=types.SimpleNamespace())):
        context = PointContext(generator_of(lambda seeds: points[seeds], (2,)), ring, num_samples=20, run=run)
        assert not codes.has_codes(context)


def test_codes_are_inputs_of_an_exported_generator(coded, tmp_path):
    version = export_saved_model(coded, coded.latent_dim, coded.data_shape, tmp_path, "coded", card={})
    loaded = tf.saved_model.load(str(version)).signatures
    seeds = tf.range(5, dtype=tf.int64)
    of_seeds = loaded["codes"](seeds=seeds)
    images = loaded["sample"](seeds=seeds)["images"].numpy()
    # The codes that the seeds have anyway: another point of the same value, and so the same image up to rounding.
    same = loaded["sample_with_codes"](seeds=seeds, **of_seeds)["images"].numpy()
    np.testing.assert_allclose(same.astype(int), images, atol=1)
    categorical = np.tile([[3, 1]], (5, 1)).astype(np.int64)
    given = {"categorical": tf.constant(categorical), "continuous": tf.zeros([5, 2])}
    found = loaded["sample_with_codes"](seeds=seeds, **given)["images"].numpy()
    latents = Noise.of_seeds(seeds).latents(coded.latent_dim).numpy()
    latents[:, :4] = stats.norm.ppf([3.5 / 10, 1.5 / 3, 0.5, 0.5])
    np.testing.assert_allclose(found.astype(int), to_uint8(coded(latents)).numpy(), atol=1)
    assert (found != images).any()
    for change, message in (
        ({"categorical": tf.constant(categorical + 7)}, "categorical: expected 0 to 9, found"),
        ({"continuous": tf.ones([5, 2])}, "continuous: expected numbers in"),
        ({"continuous": tf.zeros([4, 2])}, "continuous: expected"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            loaded["sample_with_codes"](seeds=seeds, **{**given, **change})
