import numpy as np
import pytest
import tensorflow as tf

from export.generators import Generator, find_saved_model
from export.saved_model import export_saved_model
from zoo.errors import RequestError
from zoo.noise import Noise


def test_a_path_without_a_model_is_refused(point_sampler, tmp_path):
    with pytest.raises(RequestError, match="no such directory"):
        find_saved_model(tmp_path / "nowhere")
    with pytest.raises(RequestError, match="holds no SavedModel"):
        find_saved_model(tmp_path)
    export_saved_model(point_sampler, 4, (2,), tmp_path, "points")
    with pytest.raises(RequestError, match="name one: points"):
        find_saved_model(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "saved_model.pb").write_bytes(b"no protocol buffer")
    with pytest.raises(RequestError, match="cannot be loaded"):
        Generator.load(tmp_path / "broken")


@pytest.mark.parametrize(
    "damage",
    [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: bytes([data[0] ^ 16]) + data[1:]],
    ids=["emptied", "cut short", "one bit flipped"],
)
def test_a_model_whose_variables_are_damaged_is_refused_in_one_line(damage, point_sampler, tmp_path):
    version = export_saved_model(point_sampler, 4, (2,), tmp_path, "points")
    data = version / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(damage(data.read_bytes()))
    with pytest.raises(RequestError, match=f"--saved_model: {version} cannot be loaded") as caught:
        Generator.load(version)
    assert "\n" not in str(caught.value)


def _foreign(path, shape, function, name="serving_default", **others):
    module = tf.Module()

    def signature(shape, function):
        return tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32, name="z")])

    module.serve = signature(shape, function)
    module.others = {key: signature(*each) for key, each in others.items()}
    tf.saved_model.save(module, str(path), signatures={name: module.serve, **module.others})
    return path


def _images(z):
    """Of three latents, images 4×4 in [-1, 1] whose rows differ, and the first of which is the latents' tanh."""
    rows = tf.linspace(1.0, 0.5, 4)[None, :, None, None]
    return {"x": tf.tile(rows * tf.tanh(z)[:, None, None, :], [1, 1, 4, 1])}


def test_a_generator_of_another_origin_is_sampled_through_its_latents(tmp_path):
    generator = Generator.load(_foreign(tmp_path / "floats", [None, 3], _images))
    assert (generator.latent_dim, generator.data_shape, generator.seeded) == (3, (4, 4, 3), False)
    images = generator.sample([7, 8])
    assert images.dtype == np.uint8 and images.std() > 0
    np.testing.assert_array_equal(generator.sample([8]), images[1:])
    expected = np.tanh(Noise.of_seeds([7, 8]).latents(3).numpy())
    np.testing.assert_array_equal(images[:, 0, 0], np.rint((expected + 1) * 127.5).astype(np.uint8))


def _halved(function):
    return lambda z: {"x": (function(z)["x"] + 1) / 2}


OTHERS = {
    "in [0, 1]": ([None, 3], _halved(_images), "read as values in [0, 1]"),
    "in [0, 255]": ([None, 3], lambda z: {"x": (_images(z)["x"] + 1) * 127.5}, "read as values in [0, 255]"),
    "uint8": ([None, 3], lambda z: {"x": tf.cast(tf.round((_images(z)["x"] + 1) * 127.5), tf.uint8)}, None),
    "[N, C, H, W]": ([None, 3], lambda z: {"x": tf.transpose(_images(z)["x"], [0, 3, 1, 2])}, "were transposed"),
    "five at a time": (
        [5, 3],
        lambda z: _images(tf.concat([z, tf.zeros([5, 1])], 1)[:, :3]),
        "read as values in [-1, 1]",
    ),
    "latents [N, z, 1, 1]": ([None, 3, 1, 1], lambda z: _images(z[:, :, 0, 0]), "read as values in [-1, 1]"),
}


@pytest.mark.parametrize("shape, function, note", OTHERS.values(), ids=OTHERS)
def test_generators_of_every_kind_give_the_same_pixels(shape, function, note, tmp_path):
    plain = Generator.load(_foreign(tmp_path / "plain", [None, 3], _images))
    generator = Generator.load(_foreign(tmp_path / "model", shape, function))
    assert (generator.latent_dim, generator.data_shape) == (3, (4, 4, 3))
    np.testing.assert_array_equal(generator.sample(range(7)), plain.sample(range(7)))
    assert generator.generate(np.zeros([7, 3])).shape == (7, 4, 4, 3)
    assert [note in " ".join(generator.notes)] == [True] if note else not generator.notes


def test_a_signature_of_another_name_is_found_or_named(tmp_path):
    def label(z):
        return {"c": tf.reduce_sum(z, [1, 2, 3])}

    one = Generator.load(_foreign(tmp_path / "one", [None, 3], _images, "generate", judge=([None, 4, 4, 3], label)))
    assert one.notes[0] == "Sampled by the signature generate."
    two = _foreign(tmp_path / "two", [None, 3], _images, "generate", halved=([None, 3], _halved(_images)))
    with pytest.raises(RequestError, match=r"\(it has: generate, halved\); --signature=NAME names the one"):
        Generator.load(two)
    np.testing.assert_array_equal(Generator.load(two, signature="halved").sample([1]), one.sample([1]))
    with pytest.raises(RequestError, match=r"--signature: 'x'; .* has: generate, halved"):
        Generator.load(two, signature="x")


@pytest.mark.parametrize("factor, message", [(np.nan, "values that are not finite"), (3.0, "expected images in")])
def test_a_generator_of_impossible_images_is_refused(factor, message, tmp_path):
    with pytest.raises(RequestError, match=message):
        Generator.load(_foreign(tmp_path / "model", [None, 3], lambda z: {"x": factor * _images(z)["x"]}))


@pytest.mark.parametrize(
    ("shape", "function", "message"),
    [
        ([None, 4, 4, 3], lambda x: x, r"expected float latents \[N, z\]"),
        ([None, 3], lambda z: z[:, None], "expected images"),
        ([None, 3], lambda z: {"a": z, "b": z}, "expected latents alone"),
    ],
)
def test_a_model_that_is_no_generator_is_refused(tmp_path, shape, function, message):
    with pytest.raises(RequestError, match=message):
        Generator.load(_foreign(tmp_path / "model", shape, function))


@pytest.mark.parametrize("origin", ["sampler", "saved model"])
def test_tensors_are_what_is_generated_with_gradients(sampler, version, origin):
    generator = Generator.of_sampler(sampler, 8, (32, 32, 3)) if origin == "sampler" else Generator.load(version)
    latents = tf.constant(np.random.default_rng(0).normal(size=(2, 8)), tf.float32)

    @tf.function
    def made(latents):
        with tf.GradientTape() as tape:
            tape.watch(latents)
            images = generator.tensors(latents)
        return images, tape.gradient(images, latents)

    images, gradients = made(latents)
    # float32, graphs optimised apart.
    np.testing.assert_allclose(images, generator.generate(latents.numpy()), atol=1e-5)
    assert gradients.shape == (2, 8) and np.abs(gradients).min() > 0.0
