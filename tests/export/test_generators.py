import numpy as np
import pytest
import tensorflow as tf

from export.generators import Generator, find_saved_model
from export.saved_model import export_saved_model
from zoo.errors import RequestError


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


def _foreign(path, shape, function):
    module = tf.Module()
    module.serve = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32, name="z")])
    tf.saved_model.save(module, str(path), signatures=module.serve)
    return path


def test_a_generator_of_another_origin_is_sampled_through_its_latents(tmp_path):
    path = _foreign(
        tmp_path / "floats", [None, 3], lambda z: {"x": tf.tile(tf.tanh(z)[:, None, None, :], [1, 4, 4, 1])}
    )
    generator = Generator.load(path)
    assert (generator.latent_dim, generator.data_shape, generator.seeded) == (3, (4, 4, 3), False)
    images = generator.sample([7, 8])
    assert images.dtype == np.uint8 and images.std() > 0
    np.testing.assert_array_equal(generator.sample([8]), images[1:])


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
