"""A generator of captions: its signatures, the program, and how many samples show what their captions say."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from by_hand import captioned_generator, export_captioned
from PIL import Image

import zoo
from export.evaluation import caption_agreement
from export.evaluation.context import ImageContext
from export.generators import Generator
from export.metrics.feature_extractor import FeatureExtractor
from zoo import grids
from zoo.datasets import shapes
from zoo.noise import Noise
from zoo.pixels import to_uint8

CAPTION = "a red circle at the top left"


@pytest.fixture(scope="module")
def network():
    return captioned_generator()


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    """Directory of an exported version of `network`, for reading only."""
    return export_captioned(network, tmp_path_factory.mktemp("models"), formats=["keras", "onnx"])


def test_all_signatures_agree(exported, network):
    functions = tf.saved_model.load(exported).signatures
    generator, seeds = Generator.load(exported), np.arange(40)
    captions = generator.captions(seeds)
    held = {each[0] for each in zoo.datasets.load("shapes").captions.texts("test")}
    assert set(captions) <= held and len(set(captions)) > 20
    images = generator.sample(seeds)
    np.testing.assert_array_equal(generator.sample_with_captions(seeds, captions), images)
    # Case, punctuation and unknown words change nothing that is known; another caption does.
    shouted = [caption.upper().replace(" ", ", ") + "!" for caption in captions]
    np.testing.assert_array_equal(generator.sample_with_captions(seeds, shouted), images)
    others = generator.sample_with_captions(seeds, [CAPTION] * 40)
    assert np.mean(np.any(others != images, axis=(1, 2, 3))) > 0.9
    # A seed and a caption give the same pixels in any batch.
    np.testing.assert_array_equal(generator.sample_with_captions(seeds[7:8], [CAPTION])[0], others[7])
    latents = Noise.of_seeds(seeds).latents(network.latent_dim)
    made = functions["generate_with_captions"](latents=latents, captions=tf.constant([CAPTION] * 40))["images"]
    assert np.abs(to_uint8(made).numpy().astype(int) - others).max() <= 1
    tokens = network.tokenizer(tf.constant([CAPTION] * 40))
    np.testing.assert_allclose(made, network(latents, caption=tokens), atol=1e-5)
    pngs = functions["png_with_captions"](seeds=tf.constant(seeds), captions=tf.constant([CAPTION] * 40))["png_bytes"]
    np.testing.assert_array_equal(tf.io.decode_png(pngs[3]), others[3])


@pytest.mark.parametrize(
    "captions, message", [(["a"], "captions: expected 2 found 1"), (["a", "xyz !"], "none of the words is known in")]
)
def test_captions_that_do_not_fit_are_refused(exported, captions, message):
    with pytest.raises(tf.errors.InvalidArgumentError) as refused:
        Generator.load(exported).sample_with_captions([1, 2], captions)
    assert message.replace(" ", "") in refused.value.message.replace("[", "").replace("]", "").replace(" ", "")


def sample(*flags):
    return subprocess.run([sys.executable, "-m", "export.sample", *flags], capture_output=True, text=True)


def test_the_program_draws_a_caption(exported, tmp_path):
    flags = (f"--saved_model={exported}", f"--caption={CAPTION}", "--num=5", "--seed=3", f"--out={tmp_path}/x.png")
    done = sample(*flags)
    assert done.returncode == 0, done.stderr
    images = Generator.load(exported).sample_with_captions(range(3, 8), [CAPTION] * 5)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), np.asarray(grids.image_grid(images)))


@pytest.mark.parametrize(
    "flags, message",
    [
        (
            ["--caption=a mauve circle"],
            "--caption: 'a mauve circle'; no word 'mauve' in the training captions",
        ),
        (["--caption= "], "--caption: ' '; no words, expected of: the, at, a, is"),
        (["--caption=a circle", "--label=1"], "--label, --caption: both given; expected one of them"),
    ],
)
def test_a_wrong_request_gets_one_line_and_exit_code_2(flags, message, exported, tmp_path):
    done = sample(f"--saved_model={exported}", f"--out={tmp_path}/x.png", *flags)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_model_without_captions_refuses_one(labelled_version, tmp_path):
    done = sample(f"--saved_model={labelled_version}", f"--out={tmp_path}/x.png", "--caption=a circle")
    message = "--caption: 'a circle'; the model is told no captions"
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.fixture(scope="module")
def features():
    """Two features that cost nothing."""

    def forward(images):
        flat = images.reshape(len(images), -1)
        return np.stack([flat.mean(1), flat.std(1)], 1).astype(np.float32), np.zeros([len(images), 4], np.float32)

    names = ("name", "version", "checksum", "dim", "num_classes", "data_shape", "test_accuracy")
    return FeatureExtractor(dict(zip(names, ("moments", 1, "0" * 64, 2, 4, (32, 32, 3), None))), forward)


def test_agreement_is_the_share_of_samples_that_show_their_captions(network, features):
    data = zoo.datasets.load("shapes")
    images, captions = to_uint8(data.arrays("test", 600)[0]), [each[1] for each in data.captions.texts("test")]
    values = data.attributes("test")
    # Every third sample shows the image after its own.
    shown = np.where(np.arange(300) % 3 == 0, np.arange(300) + 1, np.arange(300))
    generator = Generator.of_sampler(network, network.latent_dim, data.data_shape)
    fake = dataclasses.replace(
        generator,
        sample=lambda seeds: images[shown[seeds]],
        captions=lambda seeds: [captions[seed] for seed in seeds],
    )
    context = ImageContext(features, fake, data, num_samples=300)
    agrees = {name: values[name][:300] == values[name][shown] for name in shapes.ATTRIBUTES}
    expected = {f"caption_agreement_{name}": each.mean() for name, each in agrees.items()}
    expected["caption_agreement"] = np.all(list(agrees.values()), axis=0).mean()
    assert 0.6 < expected["caption_agreement"] < expected["caption_agreement_shape"] < 1
    for metric in caption_agreement.METRICS:
        assert metric.needs(context)
        entry = metric.measure(context)
        assert entry["value"] == pytest.approx(expected.pop(metric.name))
        assert entry["interval"][0] < entry["value"] < entry["interval"][1] and entry["num_samples"] == 300
    assert not expected and "by chance 0.0083" in caption_agreement.METRICS[0].about
    # Rows of one caption each.
    rows = dataclasses.replace(fake, sample_with_captions=lambda seeds, texts: images[np.int64(seeds) % 7])
    by_caption = ImageContext(features, rows, data, num_samples=300).shown_by_class
    assert list(by_caption) == list(dict.fromkeys(captions))[:10]
    assert all(len(each) == 8 for each in by_caption.values())
    other = ImageContext(features, dataclasses.replace(generator, captions=None), data, num_samples=30)
    assert not caption_agreement.METRICS[0].needs(other)
