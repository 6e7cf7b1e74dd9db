"""MMD-GAN: the discrepancy as sums over pairs in NumPy, no bias where p = q, and the witness's slope by the complex
step."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers import build as building
from trainers import config as config_checks
from trainers.techniques.gradient_norm import GradientNorm
from zoo.batch import Batch
from zoo.errors import RequestError

KERNELS = ("rational_quadratic", "rbf")


def kappa(kernel, squares):
    """The papers' sums of kernels, as they are printed."""
    if kernel == "rbf":
        return sum(np.exp(-squares / (2 * sigma**2)) for sigma in (1, 2, 4, 8, 16))
    return sum((1 + squares / (2 * alpha)) ** -alpha for alpha in (0.2, 0.5, 1, 2, 5))


def by_pairs(kernel, x, y):
    """M²: sums over pairs of different examples, and over all pairs of a real and a generated one."""

    def mean(a, b, same):
        pairs = [(u, v) for i, u in enumerate(a) for j, v in enumerate(b) if not same or i != j]
        return np.mean([kappa(kernel, ((u - v) ** 2).sum()) for u, v in pairs])

    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)


def build(make, **options):
    critic = zoo.MLPCritic((3,), hidden_units=(5,), activation="tanh", output_dim=2, dtype="float64")
    return make("mmd", critic=critic, **options)


def features(weights, x):
    kernel, bias, head, offset = weights
    return np.tanh(x @ kernel + bias) @ head + offset


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_discrepancy_is_numpys_and_its_gradient_that_of_differences(
    make, points, value_and_gradient, differences, assert_gradients, kernel
):
    gan, (x, y) = build(make, kernel=kernel), 2.0 * points(6, dim=2)
    value, gradients = value_and_gradient(gan.discrepancy, [x, y])
    # NumPy in float64: to rounding.
    np.testing.assert_allclose(value, by_pairs(kernel, x, y), rtol=1e-12)
    assert_gradients(gradients, differences(lambda x, y: by_pairs(kernel, x, y), [x, y]))


@pytest.mark.parametrize("kernel", KERNELS)
def test_it_is_zero_on_average_where_p_is_q_and_not_where_they_differ(make, kernel):
    gan, rng = build(make, kernel=kernel), np.random.default_rng(0)
    found = []
    for shift in (0.0, 0.5):
        x, y = tf.constant(rng.normal(size=(2, 4_000, 5, 2)))
        values = tf.vectorized_map(lambda pair: gan.discrepancy(*pair), (x, y + shift)).numpy()
        found.append(values.mean() / (values.std() / np.sqrt(len(values))))
    # In standard errors. With the pairs of an example and itself the mean would be near 1.
    assert abs(found[0]) < 4 and found[1] > 10


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_critics_loss_and_its_weight_gradient(
    make, points, noise_of, weight_gradient, differences, assert_gradients, kernel
):
    gan, (real, fake), noise = build(make, kernel=kernel, penalty_weight=0.7), points(6), noise_of(6)
    between = real + noise.uniform("interpolates", [1]).numpy().astype(np.float64) * (fake - real)

    def witness(weights, x):
        at, on_real, on_fake = (features(weights, each) for each in (x, real, fake))
        squares = [((at[:, None] - on[None]) ** 2).sum(-1) for on in (on_real, on_fake)]
        return (kappa(kernel, squares[0]) - kappa(kernel, squares[1])).mean(1)

    def oracle(*weights):
        slopes = [witness(weights, between + 1e-30j * np.eye(3)[axis]).imag / 1e-30 for axis in range(3)]
        penalty = ((np.linalg.norm(slopes, axis=0) - 1) ** 2).mean()
        return 0.7 * penalty - by_pairs(kernel, features(weights, real), features(weights, fake))

    weights = gan.critic.get_weights()
    batches = Batch(tf.constant(real)), Batch(tf.constant(fake))
    value, found = weight_gradient(lambda: gan.compute_critic_loss(*batches, noise), gan.critic)
    # Slopes by the complex step, exact to rounding; the gradient by central differences.
    np.testing.assert_allclose(value, oracle(*weights), rtol=1e-10)
    assert_gradients(found, differences(oracle, weights))
    expected = by_pairs(kernel, features(weights, real), features(weights, fake))
    np.testing.assert_allclose(gan.compute_generator_loss(*batches, noise), expected, rtol=1e-12)


def test_two_replicas_compare_all_pairs(make, points, noise_of, assert_replicas_agree):
    real, fake = points(6)
    latents = np.random.default_rng(5).normal(size=(6, 2))
    share = np.random.default_rng(6).uniform(size=(6, 1))

    class Shares:
        """The noise of a replica: its own part of the batch's."""

        def __init__(self, share):
            self.share = share

        def uniform(self, name, shape):
            return self.share

    def of_critic(gan, real, fake, share):
        return gan.compute_critic_loss(real, fake, Shares(share.x))

    def of_generator(gan, real, latents):
        return gan.compute_generator_loss(real, Batch(gan.generator(latents.x)), None)

    assert_replicas_agree(lambda: build(make), of_critic, "critic", real, fake, share)
    assert_replicas_agree(lambda: build(make), of_generator, "generator", real, latents)


def test_a_batch_of_one_and_what_needs_a_score_are_refused(make):
    gan = make("mmd")
    with pytest.raises(RequestError, match=r"config.train.batch_size: 1; mmd compares the examples of a batch"):
        gan.discrepancy(tf.zeros([1, 2]), tf.zeros([1, 2]))
    with pytest.raises(RequestError, match=r"kernel: 'rbg'; did you mean 'rbf'"):
        make("mmd", kernel="rbg")
    message = r"config.techniques.gradient_norm: it penalises a score's gradient; 'mmd': its critic gives features"
    with pytest.raises(RequestError, match=message):
        make("mmd", techniques=[GradientNorm()])


def test_a_config_gives_the_critic_as_many_outputs_as_its_objective_compares(small_config):
    made = {name: building.resolve(small_config(name)).critic.output_dim for name in ("mmd", "minimax")}
    assert made == {"mmd": 16, "minimax": 1}
    config = small_config("mmd")
    config.critic.output_dim = 4
    assert building.resolve(config).critic.output_dim == 4
    config.objective = "minimax"
    with pytest.raises(RequestError, match=r"config.critic.output_dim: 4; minimax compares scores, use 1"):
        building.build(config, config_checks.check(config))
