"""StackGAN's networks and losses against NumPy in float64, its two stages, and what a small one learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import configs.shapes
import zoo
from trainers import build, training
from trainers import config as config_checks
from trainers.objectives.stacked import Stacked
from zoo.batch import Batch
from zoo.datasets import shapes
from zoo.errors import RequestError
from zoo.pixels import to_uint8

WORDS, LENGTH, SIDE = ("a", "red", "blue", "circle", "square"), 4, 32
SMALL = {"vocabulary": WORDS, "caption_words": LENGTH, "base_filters": 3, "text_units": 5, "dtype": "float64"}


def make(**options):
    keras.utils.set_random_seed(0)
    generator = zoo.StackedGenerator((SIDE, SIDE, 3), noise_dim=4, condition_dim=2, blocks=1, **SMALL)
    critic = zoo.StackedCritic((SIDE, SIDE, 3), **SMALL)
    for network in (generator, critic):
        for number, variable in enumerate(network.trainable_variables):
            if len(variable.shape) == 1:  # Scales of one and biases of zero would hide one that is left out.
                variable.assign(np.random.default_rng(number).uniform(0.5, 1.5, variable.shape))
    return Stacked(generator, critic, **{"first_steps": 2, **options})


@pytest.fixture(scope="module")
def gan():
    return make()


@pytest.fixture(scope="module")
def captions():
    # Short ones, one of them without words, unknown words, and the same one twice in succession.
    return np.array([[2, 3, 5, 0], [2, 4, 6, 0], [2, 4, 6, 0], [1, 5, 0, 0], [0, 0, 0, 0]])


def set_stage(gan, stage):
    for network in gan.networks.values():
        network.level.assign(stage)


# The oracle.


def convolved(x, kernel, stride=1):
    """A convolution with TensorFlow's padding "SAME"."""
    size, side = kernel.shape[0], -(-x.shape[1] // stride)
    border = max((side - 1) * stride + size - x.shape[1], 0)
    before = border // 2
    padded = np.pad(x, [(0, 0), (before, border - before), (before, border - before), (0, 0)])
    return sum(
        padded[:, i : i + (side - 1) * stride + 1 : stride, j : j + (side - 1) * stride + 1 : stride] @ kernel[i, j]
        for i in range(size)
        for j in range(size)
    )


def normed(x, scale, shift):
    axes = tuple(range(1, x.ndim))
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-3) * scale + shift


def relu(x):
    return np.maximum(x, 0)


def leaky(x):
    return np.where(x > 0, x, float(np.float32(0.2)) * x)


def wide(x, factor=2):
    return x.repeat(factor, 1).repeat(factor, 2)


def weights(network):
    return iter([np.array(value) for value in network.get_weights()])


def oracle_text(encoder, tokens):
    dense, kernel, bias = weights(encoder)
    words = np.eye(encoder.depth + 1)[tokens][:, :, 1:] @ dense
    padded = np.pad(words, [(0, 0), (1, 1), (0, 0)])
    places = leaky(sum(padded[:, i : i + LENGTH] @ kernel[i] for i in range(3)) + bias)
    return np.stack([row[: max(1, (token > 0).sum())].max(0) for row, token in zip(places, tokens)])


def oracle_condition(generator, tokens, stage):
    kernel, bias = weights(generator.augmentations[stage])
    return np.split(oracle_text(generator.text, tokens) @ kernel + bias, 2, axis=1)


def spread(vectors, maps):
    return np.concatenate([maps, np.broadcast_to(vectors[:, None, None], [*maps.shape[:3], vectors.shape[1]])], -1)


def oracle_images(generator, latents, tokens, stage):
    noise, *draws = np.split(latents[:, 1:], [4, 6], axis=1)
    conditions = []
    for number in range(2):
        mean, log_scale = oracle_condition(generator, tokens, number)
        conditions.append(mean + np.exp(log_scale) * draws[number])
    held = weights(generator.first)
    maps = (np.concatenate([noise, conditions[0]], 1) @ next(held)).reshape(len(latents), 4, 4, -1)
    maps = relu(normed(maps, next(held), next(held)))
    maps = relu(normed(convolved(wide(maps), next(held)), next(held), next(held)))
    small = np.tanh(convolved(maps, next(held)) + next(held))
    if not stage:
        return wide(small, 4)
    held = weights(generator.down)
    maps = relu(convolved(small, next(held)))
    maps = relu(normed(convolved(maps, next(held), 2), next(held), next(held)))
    held, maps = weights(generator.up), spread(conditions[1], maps)
    maps = relu(normed(convolved(maps, next(held)), next(held), next(held)))
    inner = relu(normed(convolved(maps, next(held)), next(held), next(held)))
    maps = relu(maps + normed(convolved(inner, next(held)), next(held), next(held)))
    for _ in range(3):
        maps = relu(normed(convolved(wide(maps), next(held)), next(held), next(held)))
    return np.tanh(convolved(maps, next(held)) + next(held))


def oracle_scores(critic, x, tokens, stage):
    if not stage:
        x = x.reshape(len(x), 8, 4, 8, 4, 3).mean((2, 4))
    held, maps = weights(critic.trunks[stage]), x
    for step in range(3 if stage else 1):
        maps = convolved(maps, next(held), 2)
        maps = leaky(normed(maps, next(held), next(held)) if step else maps)
    held = weights(critic.joints[stage])
    maps = convolved(spread(oracle_text(critic.texts[stage], tokens), maps), next(held))
    features = leaky(normed(maps, next(held), next(held))).reshape(len(x), -1)
    kernel, bias = weights(critic.heads[stage])
    return features @ kernel + bias


def softplus(x):
    return np.logaddexp(0, x)


@pytest.mark.parametrize("stage", [0, 1])
def test_networks_and_losses_are_those_of_the_paper(gan, captions, stage):
    set_stage(gan, stage)
    rng, tokens = np.random.default_rng(0), tf.constant(captions)
    latents = rng.normal(size=[5, gan.latent_dim])
    images = rng.uniform(-1, 1, [5, SIDE, SIDE, 3])
    made = oracle_images(gan.generator, latents, captions, stage)
    scores, fake_scores = (oracle_scores(gan.critic, x, captions, stage) for x in (images, made))
    others = np.roll(captions, -1, axis=0)
    wrong = softplus(oracle_scores(gan.critic, images, others, stage))
    assert made.std() > 0.01 and scores.std() > 0.01
    # All in float64; only the order of additions differs.
    close = {"rtol": 1e-9, "atol": 1e-11}
    fake = gan.generator(tf.constant(latents), training=True, caption=tokens)
    np.testing.assert_allclose(fake, made, **close)
    np.testing.assert_allclose(gan.critic(tf.constant(images), caption=tokens), scores, **close)
    # The second and third caption are the same: no mismatch.
    wrong[1] = 0
    expected = softplus(-scores).mean() + 0.5 * (wrong.mean() + softplus(fake_scores).mean())
    real, fake = Batch(tf.constant(images), {"caption": tokens}), Batch(fake, {"caption": tokens})
    np.testing.assert_allclose(gan.compute_critic_loss(real, fake, None), expected, **close)
    mean, log_scale = oracle_condition(gan.generator, captions, stage)
    divergence = 0.5 * (mean**2 + np.exp(2 * log_scale) - 1 - 2 * log_scale).mean()
    expected = softplus(-fake_scores).mean() + 0.7 * divergence
    gan.divergence_weight = 0.7
    np.testing.assert_allclose(gan.compute_generator_loss(real, fake, None), expected, **close)


@pytest.mark.parametrize("stage", [0, 1])
def test_a_stage_is_trained_alone(captions, stage):
    gan = make(ema_decay=0.5)
    gan.compile()
    generator, critic = gan.generator, gan.critic

    def of(stage):
        parts = [critic.texts[stage], critic.trunks[stage], critic.joints[stage], critic.heads[stage]]
        parts += [generator.augmentations[stage]]
        parts += [generator.down, generator.up] if stage else [generator.first, generator.text]
        return [[value.copy() for value in part.get_weights()] for part in parts]

    gan.step.assign(2 * stage)
    if stage:  # What the first stage leaves in the optimizers.
        gan.step.assign(1)
        gan.train_step((Batch(tf.zeros([5, SIDE, SIDE, 3], tf.float64), {"caption": tf.constant(captions)}),))
    images = tf.constant(np.random.default_rng(1).uniform(-1, 1, [5, SIDE, SIDE, 3]))
    resting, moving = of(1 - stage), of(stage)
    for _ in range(1 + stage):
        gan.train_step((Batch(images, {"caption": tf.constant(captions)}),))
    for before, after in zip(resting, of(1 - stage), strict=True):
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)
    for before, after in zip(moving, of(stage), strict=True):
        assert all(not np.array_equal(one, other) for one, other in zip(before, after, strict=True) if one.ndim > 1)
    levels = {float(network.level.value) for network in (*gan.networks.values(), gan.averaged_generator)}
    assert levels == {float(stage)}


def test_seeds_choose_held_out_captions_and_all_that_is_drawn():
    data = zoo.datasets.load("shapes")
    generator = zoo.StackedGenerator(data.data_shape, noise_dim=4, condition_dim=2, base_filters=2, **facts(data))
    generator.adapt(data)
    latents = np.random.default_rng(0).normal(size=[500, generator.latent_dim]).astype(np.float32)
    chosen = [text.decode() for text in generator.tokenizer.texts(generator.captions(latents)).numpy()]
    held = {each[0] for each in data.captions.texts("test")[:256]}
    assert set(chosen) <= held and len(set(chosen)) > 0.8 * len(held)
    # By the first latent alone.
    first = np.where(np.arange(generator.latent_dim) == 0, latents, 0.0)
    np.testing.assert_array_equal(generator.captions(first), generator.captions(latents))
    given = generator(latents[:4], caption=generator.captions(latents[:4]))
    np.testing.assert_array_equal(generator(latents[:4]), given)
    # Noise, and the draw of each stage's condition.
    for column in (1, 5, 7):
        other = latents[:1].copy()
        other[0, column] += 3.0
        assert not np.array_equal(generator(other), generator(latents[:1]))


def facts(data):
    return zoo.StackedGenerator.facts(data.spec)


def test_data_without_captions_is_refused():
    with pytest.raises(RequestError, match="data without captions"):
        zoo.StackedGenerator.facts(zoo.datasets.load("digits").spec)


def test_a_small_one_learns_what_captions_say():
    config = configs.shapes.get_config()
    config.generator.update(noise_dim=4, condition_dim=8, base_filters=16, text_units=32)
    config.critic.update(base_filters=16, text_units=32)
    for player in ("generator", "critic"):
        config[f"{player}_optimizer"] = {"learning_rate": 1e-3}
    config.train.update(ema_decay=0.0, steps_per_execution=1)
    run = build.build(config, config_checks.check(config))

    run.model.fit(training.batches(run, 0), steps_per_epoch=200, verbose=0, shuffle=False)
    held = run.model.generator.held.numpy()
    asked = shapes.attributes_in_captions([text.decode() for text in run.model.generator.tokenizer.texts(held).numpy()])
    images = to_uint8(run.model.sample(range(256), caption=tf.constant(held, tf.int64))).numpy()
    found = np.mean(asked["position"] == shapes.attributes_in_images(images)["position"])
    # By chance 0.2; after 200 and 400 steps of two seeds 0.76 to 0.90. Colours come later, shapes in stage II.
    assert found > 0.6


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"data.source": "digits", "data.image_size": 32}, "'stacked' makes images of captions; 'digits' has none"),
        ({"data.image_size": 48}, "48x48 pixels; two stages, the second of 4 times the side, make 32, 64, 128"),
        ({"data.image_size": 16}, "16x16 pixels; two stages"),
        ({"data.channels": 1}, "data.channels 1: 'shapes' has captions of colours"),
        ({"generator": {"family": "dcgan"}}, "config.generator.family: 'dcgan'; stacked gives its generator caption"),
        ({"critic": {"family": "dcgan"}}, "config.critic.family: 'dcgan'; stacked needs stacked"),
        ({"objective": "hinge", "objective_options": {}}, "'stacked' makes images of caption, which hinge does not"),
        ({"objective_options.first_steps": 0}, "config.objective_options.first_steps: 0; expected a whole number, 1"),
        ({"mixture.components": 2}, "its networks are told captions"),
        ({"conditional.critic": "projection"}, "its networks are told captions in place of labels"),
        ({"train.decay_from": 0.5}, "a rate that falls; stacked starts its optimizers anew, use 1"),
    ],
)
def test_wrong_requests_are_refused_in_a_line(changes, message):
    config = configs.shapes.get_config()
    for player in ("generator", "critic"):
        config[player].base_filters = 2
    with config.unlocked():
        for key, value in changes.items():
            if isinstance(value, dict):
                config[key] = value
            else:
                config.update_from_flattened_dict({key: value})
    with pytest.raises(RequestError) as refused:
        build.build(config, config_checks.check(config)).model.check_trainable()
    assert message in str(refused.value) and "\n" not in str(refused.value)
