"""DINOv2's transformer against a NumPy forward pass in float64, with random weights."""

import numpy as np
import pytest
import scipy.special
from PIL import Image

from export.metrics import dinov2, features
from zoo.datasets.arrays import ArrayDataset
from zoo.errors import RequestError

_WIDTH, _DEPTH, _TRAINED = 128, 2, 3


@pytest.fixture(scope="module")
def state():
    """Two heads, two blocks, positions of a 3×3 grid; under the released names and in PyTorch's layout."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return np.float32(rng.normal(size=shape))

    state = {
        "cls_token": normal(1, 1, _WIDTH),
        "pos_embed": normal(1, 1 + _TRAINED**2, _WIDTH),
        "mask_token": normal(1, _WIDTH),
        "patch_embed.proj.weight": normal(_WIDTH, 3, 14, 14) / 24,
        "patch_embed.proj.bias": normal(_WIDTH),
        "norm.weight": normal(_WIDTH),
        "norm.bias": normal(_WIDTH),
    }
    for block in range(_DEPTH):
        for name, outputs, inputs in (("attn.qkv", 3, 1), ("attn.proj", 1, 1), ("mlp.fc1", 4, 1), ("mlp.fc2", 1, 4)):
            weight = normal(outputs * _WIDTH, inputs * _WIDTH) * 1.5 / np.sqrt(inputs * _WIDTH)
            state[f"blocks.{block}.{name}.weight"] = weight
            state[f"blocks.{block}.{name}.bias"] = normal(outputs * _WIDTH)
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "ls1.gamma", "ls2.gamma"):
            state[f"blocks.{block}.{name}"] = normal(_WIDTH)
    return state


def forward(state, images, positions):
    """The class token behind the last norm, by the equations (Dosovitskiy et al. 2021, eqs. 1 to 4; layer scale)."""
    state = {name: value.astype(np.float64) for name, value in state.items()}

    def normalized(x, name):
        centred = x - x.mean(axis=-1, keepdims=True)
        return (
            centred / np.sqrt(centred.var(axis=-1, keepdims=True) + 1e-6) * state[f"{name}.weight"]
            + state[f"{name}.bias"]
        )

    def linear(x, name):
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    n, side = len(images), images.shape[1] // 14
    patches = images.reshape(n, side, 14, side, 14, 3).transpose(0, 1, 3, 5, 2, 4).reshape(n, side * side, -1)
    kernel = state["patch_embed.proj.weight"].reshape(_WIDTH, -1)
    x = patches @ kernel.T + state["patch_embed.proj.bias"]
    x = np.concatenate([np.broadcast_to(state["cls_token"], (n, 1, _WIDTH)), x], axis=1) + positions
    for block in range(_DEPTH):
        name = f"blocks.{block}"
        q, k, v = np.split(linear(normalized(x, f"{name}.norm1"), f"{name}.attn.qkv"), 3, axis=-1)
        heads = []
        for head in (slice(0, 64), slice(64, 128)):
            weights = scipy.special.softmax(q[..., head] @ k[..., head].transpose(0, 2, 1) / 8.0, axis=-1)
            heads.append(weights @ v[..., head])
        x = x + state[f"{name}.ls1.gamma"] * linear(np.concatenate(heads, axis=-1), f"{name}.attn.proj")
        hidden = linear(normalized(x, f"{name}.norm2"), f"{name}.mlp.fc1")
        hidden = hidden * scipy.special.ndtr(hidden)  # the exact GELU
        x = x + state[f"{name}.ls2.gamma"] * linear(hidden, f"{name}.mlp.fc2")
    return normalized(x, "norm")[:, 0]


def test_the_transformer_is_the_papers(state):
    images = np.random.default_rng(1).normal(size=(2, 42, 42, 3))
    expected = forward(state, images, state["pos_embed"].astype(np.float64))
    found = dinov2.build(state, _WIDTH, _DEPTH, side=42)(images.astype(np.float32))
    assert expected.shape == (2, _WIDTH) and np.abs(expected[0] - expected[1]).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)  # float32


def test_positions_follow_the_grid(state):
    # An interpolating kernel gives constants back; of a ramp the middle too, by steps of the scale's inverse.
    ramp = np.stack(np.meshgrid(np.arange(37.0), np.arange(37.0), indexing="ij"), -1).reshape(1, 37 * 37, 2)
    ramp = np.concatenate([[[[5.0, 7.0]]], ramp], axis=1)
    of_class, of_patches = dinov2.positions(np.concatenate([ramp, np.ones((1, 1370, 1))], -1), 16)
    np.testing.assert_array_equal(of_class, [5.0, 7.0, 1.0])
    rows, columns, ones = of_patches.reshape(16, 16, 3).transpose(2, 0, 1)
    np.testing.assert_allclose(ones, 1.0, rtol=1e-12)
    np.testing.assert_allclose(rows, columns.T, rtol=1e-12)
    # With a = -0.75 the kernel does not reproduce a ramp exactly, by up to 0.1 of a step.
    np.testing.assert_allclose(rows[2:14, 0], (np.arange(2, 14) + 0.5) * 37 / 16.1 - 0.5, atol=0.15)
    # Halfway between two positions its weights are a/8, 1/2 - a/8 twice, a/8.
    np.testing.assert_allclose(dinov2._bicubic(8, 4, 0.5)[1, 1:5], [-0.09375, 0.59375, 0.59375, -0.09375], rtol=1e-12)
    same = dinov2.positions(state["pos_embed"], _TRAINED)[1]
    np.testing.assert_array_equal(same, state["pos_embed"][0, 1:])


@pytest.fixture
def cache(tmp_path, monkeypatch, state):
    """A cache that holds the small network as `dinov2_vits14`."""
    folder = tmp_path / "cache" / "features"
    folder.mkdir(parents=True)
    (folder / "dinov2_vits14_pretrain.pth").write_bytes(b"some weights")
    monkeypatch.setenv("TF_GAN_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(dinov2.torch_state_dict, "read", lambda path: state)
    return folder


def test_an_image_is_resized_and_normalised(cache, monkeypatch):
    import keras

    # In the network's place: the means of quarters of its input.
    inputs = keras.Input((224, 224, 3))
    network = keras.Model(inputs, keras.layers.AveragePooling2D(112)(inputs))
    image = np.random.default_rng(0).integers(0, 256, (500, 300, 3), np.uint8)
    found = dinov2._resized(network)(np.float32(image[None] / 127.5 - 1))
    planes = [Image.fromarray(np.float32(image[..., i]), "F").resize((224, 224), Image.BICUBIC) for i in range(3)]
    resized = np.stack(planes, axis=-1) / 255
    expected = (resized.reshape(2, 112, 2, 112, 3).mean(axis=(1, 3)) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(found[0], expected, atol=1e-3)


def test_weights_that_are_given_are_used(cache, monkeypatch):
    monkeypatch.setitem(dinov2.MODELS, "dinov2_vits14", (_WIDTH, _DEPTH))
    rng = np.random.default_rng(2)
    labels = np.arange(24) % 2
    x = np.uint8(rng.integers(0, 60, (24, 8, 8, 1)) + 180 * labels[:, None, None, None])
    extractor = features.features_for(ArrayDataset("grey", {"train": (x, None), "test": (x, None)}), "dinov2_vits14")
    found, logits = extractor(x[:5])
    assert (extractor.name, extractor.dim, extractor.num_classes) == ("dinov2_vits14", _WIDTH, 0)
    assert found.shape == (5, _WIDTH) and logits.shape == (5, 0) and extractor.weakness() is None
    np.testing.assert_array_equal(found, extractor(np.repeat(x[:5], 3, axis=-1))[0])
    labelled = ArrayDataset("grey", {"train": (x, labels), "test": (x, labels)}, num_classes=2)
    extractor = features.features_for(labelled, "dinov2_vits14")
    assert extractor.knows_classes_of(labelled) and extractor.test_accuracy > 0.9


def test_missing_and_other_weights_are_refused(cache, monkeypatch, state):
    with pytest.raises(RequestError, match=r"no weights at '.*vitb14_pretrain\.pth'; put https://.*/dinov2_vitb14/"):
        features.load_features("dinov2_vitb14")
    with pytest.raises(RequestError, match=r"'dinov2_vits14': .* holds another network: .*") as caught:
        features.load_features("dinov2_vits14")  # of 384 channels
    assert "\n" not in str(caught.value)
