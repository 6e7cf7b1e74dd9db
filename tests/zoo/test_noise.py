"""Noise against published test vectors of its generator, a NumPy implementation, and its distributions."""

import zlib

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from zoo.noise import Noise, choose, fold_in, key_from, threefry2x32

#: Key, counter and output of Threefry-2x32-20 in the known-answer file of Random123, the authors' own code.
KNOWN_ANSWERS = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


def threefry(key, counter):
    """Threefry-2x32-20 in Python integers, round by round as section 3.3 of the paper has it."""
    word = 2**32
    keys = [*key, key[0] ^ key[1] ^ 0x1BD11BDA]
    x = [(counter[0] + keys[0]) % word, (counter[1] + keys[1]) % word]
    for number in range(20):
        distance = [13, 15, 26, 6, 17, 29, 16, 24][number % 8]
        x[0] = (x[0] + x[1]) % word
        x[1] = (x[1] << distance) % word | x[1] >> 32 - distance
        x[1] ^= x[0]
        if number % 4 == 3:
            group = number // 4 + 1
            x[0] = (x[0] + keys[group % 3]) % word
            x[1] = (x[1] + keys[(group + 1) % 3] + group) % word
    return tuple(x)


def words(number):
    """High and low 32 bits of a signed 64-bit integer."""
    return number % 2**64 >> 32, number % 2**32


def uniforms(seed, numbers, purpose, row, size):
    """What one row's uniform draw should be, in Python integers: `seed` with `numbers` folded in one by one."""
    key = words(seed)
    for number in [*numbers, zlib.crc32(purpose.encode())]:
        key = threefry(key, words(number))
    pairs = [threefry(key, (row, column)) for column in range((size + 1) // 2)]
    bits = [pair[0] for pair in pairs] + [pair[1] for pair in pairs]
    return [(word >> 8) / 2**24 for word in bits][:size]


def uint32(pair):
    return tuple(tf.constant(word, tf.uint32) for word in pair)


@pytest.mark.parametrize("key, counter, expected", KNOWN_ANSWERS)
def test_threefry_gives_the_published_known_answers(key, counter, expected):
    assert threefry(key, counter) == expected
    for function in (threefry2x32, tf.function(threefry2x32, jit_compile=True)):
        assert tuple(int(word) for word in function(uint32(key), uint32(counter))) == expected


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1, 2**32, 2**32 + 1, 2**63 - 1, -1, -(2**63)])
def test_every_64_bit_seed_has_its_own_key_and_the_same_one_under_xla(seed):
    for function in (key_from, tf.function(key_from, jit_compile=True)):
        assert tuple(int(word) for word in function(tf.constant(seed, tf.int64))) == words(seed)


def test_folding_a_number_in_encrypts_it():
    key = (0x13198A2E, 0x03707344)
    for number in (0, 7, 2**40 + 3):
        assert tuple(int(word) for word in fold_in(uint32(key), number)) == threefry(key, words(number))


@pytest.mark.parametrize("size", [1, 2, 7])
def test_uniforms_of_a_step_are_those_of_the_python_implementation(size):
    noise = Noise.of_step(3, tf.constant(11, tf.int64), 4).fold_in(0).fold_in(2)
    expected = [uniforms(3, [11, 0, 2], "share", row, size) for row in range(4)]
    # Multiples of 2⁻²⁴ are exact in float32: no tolerance.
    np.testing.assert_array_equal(noise.uniform("share", [size]), np.array(expected, np.float32))


def test_normals_are_box_muller_of_the_python_implementation():
    found = Noise.of_seeds([5, -2]).normal("latents", [6])
    for row, seed in enumerate([5, -2]):
        key = threefry(words(seed), words(zlib.crc32(b"latents")))
        pairs = np.array([threefry(key, (0, column)) for column in range(3)]) >> 8
        radius = np.sqrt(-2.0 * np.log((pairs[:, 0] + 1) / 2**24))
        angle = 2.0 * np.pi * pairs[:, 1] / 2**24
        expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
        # Both in float64, rounded once: the same float32 but for one value in about 10⁸.
        np.testing.assert_array_equal(found[row], expected.astype(np.float32))


def test_uniform_has_the_law_that_it_names():
    values = Noise.of_step(0, tf.constant(0, tf.int64), 4096).uniform("u", [64]).numpy().astype(np.float64)
    assert values.min() >= 0.0
    assert values.max() < 1.0
    count = values.size
    # Four standard errors of the mean and of the variance of that many draws.
    assert abs(values.mean() - 0.5) < 4.0 * np.sqrt(1 / 12 / count)
    assert abs(values.var() - 1 / 12) < 4.0 * np.sqrt(1 / 180 / count)
    assert scipy.stats.kstest(values.ravel(), "uniform").pvalue > 1e-3
    # Every column and every row by itself, not only all together: Bonferroni over 64 columns.
    assert min(scipy.stats.kstest(column, "uniform").pvalue for column in values.T) > 1e-3 / 64


def test_normal_has_the_law_that_it_names():
    values = Noise.of_step(0, tf.constant(0, tf.int64), 4096).normal("n", [64]).numpy().astype(np.float64)
    count = values.size
    # Four standard errors of each moment of that many standard normals: variances 1, 2, 15 and 96.
    for power, expected, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs((values**power).mean() - expected) < 4.0 * np.sqrt(variance / count)
    assert scipy.stats.kstest(values.ravel(), "norm").pvalue > 1e-3
    assert 4.0 < np.abs(values).max() < 5.8
    covariance = np.cov(values.T)
    # Off the diagonal each is N(0, 1/4096); the largest of 2016 stays below five standard errors.
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 5.0 / np.sqrt(4096)


@pytest.mark.parametrize(
    "one, other",
    [
        pytest.param((0, 0, 0, "latents"), (0, 0, 0, "interpolates"), id="purposes"),
        pytest.param((0, 0, 0, "latents"), (0, 1, 0, "latents"), id="steps"),
        pytest.param((0, 0, 0, "latents"), (1, 0, 0, "latents"), id="seeds"),
        pytest.param((0, 0, 0, "latents"), (0, 0, 1, "latents"), id="draws"),
        pytest.param((0, 1, 0, "latents"), (1, 0, 0, "latents"), id="seed against step"),
        pytest.param((0, 1, 0, "latents"), (0, 0, 1, "latents"), id="step against draw"),
        pytest.param((0, 0, 0, "latents"), (2**32, 0, 0, "latents"), id="high word of the seed"),
    ],
)
def test_draws_for_different_things_are_unrelated(one, other):
    def values(seed, step, draw, purpose):
        noise = Noise.of_step(seed, tf.constant(step, tf.int64), 512).fold_in(draw)
        return noise.normal(purpose, [64]).numpy().ravel()

    x, y = values(*one), values(*other)
    # Five standard errors of the correlation of 32,768 independent pairs; of the squares too, for dependence in scale.
    assert abs(np.corrcoef(x, y)[0, 1]) < 5.0 / np.sqrt(x.size)
    assert abs(np.corrcoef(x**2, y**2)[0, 1]) < 5.0 / np.sqrt(x.size)


def test_rows_and_neighbouring_seeds_are_unrelated():
    for rows in (Noise.of_step(0, tf.constant(0, tf.int64), 64), Noise.of_seeds(list(range(64)))):
        correlations = np.corrcoef(rows.normal("latents", [4096]).numpy())
        assert np.abs(correlations - np.eye(64)).max() < 5.0 / np.sqrt(4096)


def test_xla_draws_the_same_noise():
    def draw(step):
        noise = Noise.of_step(7, step, 300).fold_in(3)
        return noise.uniform("u", [5]), noise.normal("n", [5])

    step = tf.constant(123, tf.int64)
    plain, compiled = draw(step), tf.function(draw, jit_compile=True)(step)
    np.testing.assert_array_equal(compiled[0], plain[0])
    np.testing.assert_array_equal(compiled[1], plain[1])


def test_the_latents_of_a_seed_do_not_depend_on_its_batch():
    seeds = [3, 2**40, 0, -9, 3, *range(100, 132)]
    # Seven numbers a row, so that vector instructions meet each row at another offset.
    together = Noise.of_seeds(seeds).normal("latents", [7]).numpy()
    for row, seed in enumerate(seeds):
        np.testing.assert_array_equal(Noise.of_seeds([seed]).normal("latents", [7]).numpy()[0], together[row])
    np.testing.assert_array_equal(together[0], together[4])
    assert len(np.unique(together[1:])) == 7 * 36


def test_a_row_gets_the_same_noise_on_any_number_of_replicas(two_replicas):
    step = tf.constant(5, tf.int64)

    def draw(size):
        noise = Noise.of_step(1, step, size)
        return tf.concat([noise.uniform("u", [3]), noise.normal("n", [5])], axis=1)

    halves = two_replicas.experimental_local_results(two_replicas.run(tf.function(draw), args=(33,)))
    whole = tf.distribute.get_strategy().run(tf.function(draw), args=(66,))
    assert len(halves) == 2
    np.testing.assert_array_equal(np.concatenate(halves), whole)


def test_shapes_of_images_are_kept():
    noise = Noise.of_seeds([1, 2, 3])
    assert noise.uniform("u", [2, 3, 1]).shape == (3, 2, 3, 1)
    np.testing.assert_array_equal(np.reshape(noise.normal("n", [2, 3]), [3, 6]), noise.normal("n", [6]))


@pytest.mark.parametrize("jit", [False, True], ids=["plain", "XLA"])
def test_a_choice_is_a_look_up_of_the_normals_distribution_to_the_last_bit_of_a_normal(jit):
    """Oracle: SciPy's float64 CDF, at the float32 numbers on either side of each bound and at 10,000 others."""
    for shares in ([0.5, 0.5], [0.1, 0.3, 0.6], [0.0, 0.2, 0.0, 0.8, 0.0], np.arange(1, 30) / 435):
        bounds = np.cumsum(shares)[:-1]
        inner = scipy.stats.norm.ppf(bounds[(bounds > 0) & (bounds < 1)]).astype(np.float32)
        near = [inner, np.nextafter(inner, np.float32(9)), np.nextafter(inner, np.float32(-9))]
        normals = np.concatenate(
            [[np.float32(np.inf)], *near, np.random.default_rng(0).normal(size=10_000).astype(np.float32)]
        )
        expected = np.searchsorted(bounds, scipy.stats.norm.cdf(normals.astype(np.float64)), side="right")
        with np.errstate(divide="ignore"):
            logits = np.log(shares)
        found = tf.function(choose, jit_compile=jit)(tf.constant(normals), tf.constant(logits))
        np.testing.assert_array_equal(found, expected)
