"""Tiny untrained generators, and generators without networks: these tests do not depend on sample quality."""

import shutil

import keras
import numpy as np
import pytest
from by_hand import export_labelled, generator_of, labelled_generator, labelled_generator_of

import zoo
from export.evaluation.evaluator import evaluate
from export.metrics.feature_extractor import FeatureExtractor
from export.saved_model import export_saved_model
from zoo import datasets
from zoo.pixels import to_uint8


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium, of Playwright's kind."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.skip("no chromium on the path")
    with sync_api.sync_playwright() as playwright:
        # Without the sandbox because it cannot be had as root, which is what containers run as; pages are our own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=120_000)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sampler():
    """A 32×32 colour generator whose outputs fill the range (kernels far larger than at the start of training)."""
    keras.utils.set_random_seed(0)
    generator = zoo.DCGANGenerator((32, 32, 3), latent_dim=8, base_filters=16)
    for variable in generator.variables:
        if "kernel" in variable.path:
            variable.assign(variable * 8.0)
    return generator


@pytest.fixture(scope="session")
def version(sampler, tmp_path_factory):
    """Directory of an exported version of `sampler`, for reading only."""
    base = tmp_path_factory.mktemp("models")
    return export_saved_model(sampler, 8, (32, 32, 3), base, "tiny", card={"objective": "minimax", "step": 7})


@pytest.fixture(scope="session")
def point_sampler():
    keras.utils.set_random_seed(0)
    return zoo.MLPGenerator((2,), latent_dim=4, hidden_units=(16,))


@pytest.fixture(scope="session")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="session")
def ring():
    return datasets.load("ring")


@pytest.fixture(scope="session")
def extractor():
    """Pixels' projections as features; the brightest of ten random templates as class."""
    rng = np.random.default_rng(0)
    features, logits = rng.normal(size=(64, 16)) / 8, rng.normal(size=(64, 10))

    def forward(images):
        flat = images.reshape(len(images), 64)
        return (flat @ features).astype(np.float32), (flat @ logits).astype(np.float32)

    names = ("name", "version", "checksum", "dim", "num_classes", "data_shape", "test_accuracy")
    return FeatureExtractor(dict(zip(names, ("projections", 1, "0" * 64, 16, 10, (8, 8, 1), None))), forward)


@pytest.fixture(scope="session")
def perfect(digits):
    """Gives training images that the report itself does not take as its first ones."""
    images = to_uint8(digits.arrays("train")[0])
    return generator_of(lambda seeds: images[np.random.default_rng(0).permutation(len(images))[seeds]], (8, 8, 1))


@pytest.fixture(scope="session")
def good(perfect, digits, extractor):
    return evaluate(perfect, digits, features=extractor)


@pytest.fixture(scope="session")
def obedient(digits):
    """Gives training images of the label that it is told, but threes where it is told eights; seed s chooses s mod 10,
    and every eighth seed nines."""
    x, y = digits.arrays("train")
    images = np.asarray(to_uint8(x))

    def sample_with_labels(seeds, labels):
        labels = np.where(np.asarray(labels) == 8, 3, labels)
        return np.stack([images[y == label][seed % 97] for seed, label in zip(seeds, labels)])

    def labels(seeds):
        return np.where(np.asarray(seeds) % 8 == 0, 9, np.asarray(seeds) % 10)

    return labelled_generator_of(sample_with_labels, labels, (8, 8, 1))


@pytest.fixture(scope="session")
def told(obedient, digits):
    """The evaluation of `obedient`, by the classifier that the package ships for digits."""
    return evaluate(obedient, digits)


@pytest.fixture(scope="session")
def labelled_sampler():
    return labelled_generator()


@pytest.fixture(scope="session")
def labelled_version(labelled_sampler, tmp_path_factory):
    """Directory of an exported version of `labelled_sampler`, for reading only."""
    return export_labelled(labelled_sampler, tmp_path_factory.mktemp("models"))
