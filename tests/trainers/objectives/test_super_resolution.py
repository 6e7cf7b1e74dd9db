"""SRGAN's losses against their closed forms, and what a small one learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import configs.digits
import configs.ring
import zoo
from export.metrics.restoration import bicubic, low_resolution, psnr
from trainers import build
from trainers import config as config_checks
from trainers.objectives.super_resolution import SuperResolution
from zoo.batch import Batch
from zoo.errors import RequestError
from zoo.pixels import to_uint8
from zoo.super_resolution import downscale


def make(shape=(8, 8, 1), **options):
    keras.utils.set_random_seed(0)
    small = {"normalization": "none", "dtype": options.pop("dtype", "float64")}
    generator = zoo.SRGANGenerator(shape, blocks=1, base_filters=4, **small)
    return SuperResolution(generator, zoo.SRGANCritic(shape, base_filters=2, **small), **options)


@pytest.fixture(scope="module")
def pair():
    """Two batches of images as the critic is shown them, of the same low-resolution ones."""
    real, made = np.random.default_rng(0).uniform(-1, 1, [2, 5, 8, 8, 1])
    given = {"low_resolution": downscale(real)}
    return Batch(tf.constant(real), given), Batch(tf.constant(made), given)


def adversarial(gan, made):
    return np.mean(np.log1p(np.exp(-gan.critic(made.x, training=True).numpy())))


@pytest.mark.parametrize("weight", [None, 0.3, 0.0])
def test_the_generators_loss_of_pixels(pair, weight):
    gan, (real, made) = make(adversarial_weight=weight), pair
    found = gan.generator_total_loss(real, made, gan.noise(5))
    content = np.mean((real.x.numpy() - made.x.numpy()) ** 2)
    assert found.dtype == tf.float64
    expected = content + (1e-3 if weight is None else weight) * adversarial(gan, made)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def features(seed=0):
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Conv2D(3, 3, dtype="float64"), keras.layers.BatchNormalization(dtype="float64")]
    network = keras.Sequential([keras.Input((8, 8, 1), dtype="float64"), *layers])
    network.dtype_policy = keras.dtype_policies.get("float64")
    return network


def test_the_generators_loss_of_features(pair):
    network, (real, made) = features(), pair
    gan = make(extractor=network)
    kernel, bias = network.layers[0].get_weights()
    scale = 1 / np.sqrt(1 + network.layers[1].epsilon)

    def by_hand(x):
        windows = np.lib.stride_tricks.sliding_window_view(x[..., 0], (3, 3), axis=(1, 2))
        return (np.einsum("nhwab,abf->nhwf", windows, kernel[:, :, 0]) + bias) * scale

    content = np.mean((by_hand(real.x.numpy()) - by_hand(made.x.numpy())) ** 2) / 12.75**2
    found = gan.generator_total_loss(real, made, gan.noise(5))
    np.testing.assert_allclose(found, content + 1e-3 * adversarial(gan, made), rtol=1e-10)
    np.testing.assert_allclose(
        make(extractor=network, feature_scale=2.0).content_loss(real.x, made.x), content * 4 * 12.75**2
    )


def test_the_critic_sees_images_alone_and_plays_minimax(pair):
    gan, (real, made) = make(), pair
    found = gan.critic_total_loss(real, made, gan.noise(5))
    scores = gan.critic(real.x, training=True).numpy()
    expected = np.mean(np.log1p(np.exp(-scores))) + np.mean(np.log1p(np.exp(gan.critic(made.x, training=True).numpy())))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_step_upscales_what_it_downscaled_itself(pair):
    gan, (real, _) = make(), pair
    gan.compile()
    seen = []
    gan.generator_total_loss = lambda *batches: (
        seen.append(batches[:2]) or SuperResolution.generator_total_loss(gan, *batches)
    )
    gan.train_step((real.x,))
    ((shown, made),) = seen
    small = downscale(real.x.numpy())
    np.testing.assert_allclose(shown.conditions["low_resolution"], small, rtol=1e-12)
    assert made.x.shape == real.x.shape and made.conditions["low_resolution"] is shown.conditions["low_resolution"]


@pytest.mark.parametrize("kind", ["path", "model"])
def test_an_extractor_stays_as_it_is(kind, tmp_path, pair):
    network, (real, _) = features(), pair
    before = network.get_weights()
    network.save(tmp_path / "features.keras")
    gan = make(extractor=str(tmp_path / "features.keras") if kind == "path" else network)
    gan.compile()
    gan.make_train_function()
    of_step = gan.train_step((real.x,))
    assert np.isfinite(of_step["generator_loss"])
    for one, other in zip(before, gan.extractor.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not any("extractor" in name for name in gan.state())


@pytest.mark.parametrize("damage", ["missing", "damaged", "other"])
def test_an_extractor_that_does_not_fit_is_refused(damage, tmp_path):
    path = tmp_path / "features.keras"
    if damage == "damaged":
        path.write_bytes(b"no network")
    elif damage == "other":
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    gan = make(extractor=str(path))
    gan.compile()
    with pytest.raises(
        RequestError, match=r"extractor: '.*features.keras'; expected .* on images of 8×8×1 \("
    ) as caught:
        gan.make_train_function()
    assert "\n" not in str(caught.value)


SRGAN = {"family": "srgan"}


@pytest.mark.parametrize(
    "module, changes, message",
    [
        (configs.ring, {}, r"config.data, ring: \(2,\) are not images"),
        (configs.digits, {"generator": {"family": "dcgan"}}, "'dcgan'; super_resolution gives its generator low_resol"),
        (configs.digits, {"objective": "hinge"}, "'srgan' makes images of low_resolution, which hinge does not give"),
        (configs.digits, {"objective": "info"}, "'srgan' makes images of low_resolution, which info does not give"),
        (configs.digits, {"conditional.critic": "projection"}, "'projection'; 'super_resolution': its generator is"),
        (configs.digits, {"mixture.components": 2}, "its generator has one image"),
        (configs.digits, {"objective_options.adversarial_weight": -1.0}, "-1.0; expected a number, 0 or more"),
        (configs.digits, {"objective_options.extractor": 3}, "3; expected the path of a .keras file"),
        (configs.digits, {"generator.normalization": "spectral"}, "'spectral'; expected one of 'batch', 'none'"),
        (configs.digits, {"generator.latent_dim": 3}, "no option of srgan"),
    ],
)
def test_a_request_that_does_not_fit_is_one_line(module, changes, message):
    config = module.get_config("super_resolution")
    for key, value in changes.items():
        group, _, name = key.rpartition(".")
        holder = config[group] if group else config
        with holder.ignore_type():
            holder[name] = value
    with pytest.raises(RequestError, match=message) as caught:
        build.build(config, config_checks.check(config))
    assert "\n" not in str(caught.value)


def edges(count, seed):
    """Images of half-planes, 16×16 grey."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16] - 7.5
    angles, offsets = rng.uniform(0, 2 * np.pi, count), rng.uniform(-5, 5, count)
    sides = np.cos(angles)[:, None, None] * x + np.sin(angles)[:, None, None] * y - offsets[:, None, None]
    return np.clip(2.0 * sides, -1, 1)[..., None].astype(np.float32)


def test_what_it_learns_is_nearer_than_bicubic_resizing():
    gan, train = make((16, 16, 1), dtype="float32", ema_decay=0.9), edges(512, 0)
    gan.compile(keras.optimizers.Adam(5e-3), keras.optimizers.Adam(1e-3))
    data = tf.data.Dataset.from_tensor_slices(train).repeat().shuffle(512, seed=0).batch(16, drop_remainder=True)
    gan.fit(data, steps_per_epoch=250, verbose=0)
    held_out = to_uint8(edges(64, 1))
    small = low_resolution(held_out)
    made = to_uint8(gan.sampler.upscale(downscale(edges(64, 1))).numpy())
    gain = psnr(made, held_out) - psnr(bicubic(small), held_out)
    assert gain.mean() > 3.0, gain.mean()
