"""The joint field's Jacobian and its spectrum against closed forms and finite differences, in float64."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from games import LinearMinimax, LinearWasserstein, linear_game

import zoo
from export.diagnostics import convergence
from export.diagnostics.convergence import JointField, Spectrum, arnoldi, judge, path_angle, spectrum
from export.diagnostics.game import NotMeasured
from trainers.dynamics.consensus import Consensus
from trainers.dynamics.simultaneous import Simultaneous
from trainers.objectives.minimax import Minimax
from trainers.techniques.zero_centred import ZeroCentred
from zoo.batch import Batch
from zoo.noise import Noise


def bilinear(dynamics=None, **options):
    """The field of L_D = wb, L_G = -wb at (w, b) = (0.8, -0.6): the real point is 0, the generated one b."""
    gan = linear_game(LinearWasserstein, np.zeros([1, 1]), clip=0.0, dynamics=dynamics or Simultaneous(), **options)
    gan.critic.trainable_variables[0].assign([[0.8]])
    gan.generator.trainable_variables[1].assign([-0.6])
    return gan, JointField(gan, Batch(tf.zeros([1, 1], tf.float64)), None)


def test_the_bilinear_game_turns_and_consensus_leads_to_its_centre():
    # θ̇ = -v = (-b, w) has the eigenvalues ±i; the offset of the critic and the generator's kernel, at latents of 0, two
    # of 0. Consensus adds -γ v'ᵀv' = -γ, of w and b alone.
    _, field = bilinear()
    np.testing.assert_allclose(sorted(spectrum(field).eigenvalues, key=abs), [0, 0, 1j, -1j], atol=1e-14)
    assert judge(spectrum(field))["level"] == "partial" and "Rotating" in judge(spectrum(field))["verdict"]
    _, field = bilinear(Consensus(gamma=0.7))
    found = spectrum(field)
    np.testing.assert_allclose(found.eigenvalues[:2], [-0.7 + 1j, -0.7 - 1j], rtol=1e-12)
    assert found.rotation == pytest.approx(1 / 0.7) and found.radius == pytest.approx(np.hypot(0.7, 1))
    assert judge(found, dynamics="consensus")["level"] == "none"


def test_the_jacobian_of_a_linear_gan_is_that_of_nagarajan_and_kolter():
    """Their theorem 3.1 and its proof: at the equilibrium J = [[2f''(0) K_DD, f'(0) K_DG], [-f'(0) K_DGᵀ, 0]], with
    K_DD = E ∇D ∇Dᵀ over the data and K_DG = ∂/∂θ_G of -E ∇D over the samples, f(t) = -log(1 + e⁻ᵗ)."""
    points = np.random.default_rng(0).normal(0.5, 1.0, (7, 2))
    gan = linear_game(LinearMinimax, points)
    field = JointField(gan, Batch(tf.constant(points)), None)
    with_one = np.concatenate([points, np.ones([7, 1])], 1)  # ∇D by (w, c)
    of_critics = 2 * -0.25 * with_one.T @ with_one / 7
    # Generator's weights in order: A[0, 0], A[0, 1], A[1, 0], A[1, 1], b[0], b[1].
    mean = points.mean(0)
    of_both = -0.5 * np.concatenate([np.kron(mean, np.eye(2)), np.eye(2)], 1)
    of_both = np.concatenate([of_both, np.zeros([1, 6])])  # the offset does not see where samples lie
    expected = np.block([[of_critics, of_both], [-of_both.T, np.zeros([6, 6])]])
    np.testing.assert_allclose(-field.jacobian(), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(field(), np.zeros(9), atol=1e-15)
    assert spectrum(field).largest_real_part < 1e-9


@pytest.fixture(scope="module")
def network_field():
    """The field of `minimax` between networks of 139 weights, far from an equilibrium."""
    keras.utils.set_random_seed(3)
    generator = zoo.MLPGenerator((2,), latent_dim=2, hidden_units=(8,), activation="tanh", dtype="float64")
    critic = zoo.MLPCritic((2,), hidden_units=(8, 6), activation="tanh", dtype="float64")
    gan = Minimax(generator, critic, techniques=(ZeroCentred(weight=0.3),))
    gan.compile()
    real = np.random.default_rng(0).normal(0.5, 1.0, (16, 2))
    noise = Noise.of_step(5, tf.constant(0, tf.int64), 16)
    return JointField(gan, Batch(tf.constant(real)), noise)


def test_products_are_those_of_the_matrix_and_of_finite_differences(network_field):
    field, rng = network_field, np.random.default_rng(1)
    jacobian = field.jacobian()
    direction, delta = rng.normal(size=field.size), 1e-5
    np.testing.assert_allclose(field.transposed_product(direction), jacobian.T @ direction, rtol=1e-10, atol=1e-12)
    weights, along = field.weights(), []
    pieces = np.split(direction, np.cumsum([weight.size for weight in weights])[:-1])
    for step in (delta, -delta):
        field.assign([weight + step * piece.reshape(weight.shape) for weight, piece in zip(weights, pieces)])
        along.append(field())
    field.assign(weights)
    # Central differences: 1e-10 of truncation, 1e-11 of rounding.
    np.testing.assert_allclose(jacobian @ direction, (along[0] - along[1]) / (2 * delta), rtol=1e-6, atol=1e-8)


def test_a_field_is_a_function_of_the_weights_alone():
    """Statistics of batch normalisation do not move, nor what an objective keeps."""
    keras.utils.set_random_seed(3)
    generator = zoo.MLPGenerator((2,), latent_dim=2, hidden_units=(3,), normalization="batch", dtype="float64")
    critic = zoo.MLPCritic((2,), hidden_units=(3,), normalization="spectral", dtype="float64")
    gan = Minimax(generator, critic)
    gan.compile()
    before = [variable.numpy() for variable in gan.variables]
    real = Batch(tf.constant(np.random.default_rng(0).normal(size=(8, 2))))
    field = JointField(gan, real, Noise.of_step(5, tf.constant(0, tf.int64), 8))
    first = field()
    field.transposed_product(first)
    for variable, value in zip(gan.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    np.testing.assert_array_equal(field(), first)


def test_arnoldi_finds_the_ends_of_the_exact_spectrum(network_field):
    exact = spectrum(network_field)
    found = spectrum(network_field, most_exact=0, products=60)
    assert exact.exact and not found.exact and found.products == 60
    assert len(exact.eigenvalues) == network_field.size
    # Ritz values whose residual is up to a hundredth of the radius.
    np.testing.assert_allclose(found.eigenvalues[0].real, exact.eigenvalues[0].real, rtol=1e-6)
    assert found.radius == pytest.approx(exact.radius, rel=1e-6)
    assert found.largest_real_part == pytest.approx(exact.largest_real_part, abs=0.01 * exact.radius)
    np.testing.assert_allclose(found.critic_shares[0], exact.critic_shares[0], atol=1e-6)


def test_a_full_krylov_space_has_all_eigenvalues():
    matrix = np.random.default_rng(0).normal(size=(12, 12))
    values, residuals, _, basis = arnoldi(lambda vector: matrix @ vector, np.ones(12), 12)
    order = np.lexsort((values.imag, values.real))
    exact = np.linalg.eigvals(matrix)
    np.testing.assert_allclose(values[order], exact[np.lexsort((exact.imag, exact.real))], rtol=1e-9)
    assert len(basis) == 12 and residuals.max() < 1e-10


def test_residuals_are_those_of_the_ritz_vectors():
    matrix = np.random.default_rng(0).normal(size=(12, 12))
    values, residuals, coefficients, spanned = arnoldi(lambda vector: matrix @ vector, np.ones(12), 5)
    found = np.stack(spanned, 1) @ coefficients
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), np.ones(5), rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(matrix @ found - found * values, axis=0), residuals, rtol=1e-8)
    # The same space by the powers of the matrix.
    basis, _ = np.linalg.qr(np.stack([np.linalg.matrix_power(matrix, power) @ np.ones(12) for power in range(5)], 1))
    ritz, vectors = np.linalg.eig(basis.T @ matrix @ basis)
    of_vectors = np.linalg.norm(matrix @ basis @ vectors - basis @ vectors * ritz, axis=0)
    found, expected = (np.lexsort((each.imag, each.real)) for each in (values, ritz))
    np.testing.assert_allclose(values[found], ritz[expected], rtol=1e-8)
    np.testing.assert_allclose(residuals[found], of_vectors[expected], rtol=1e-8)


def test_an_invariant_space_ends_the_search():
    values, residuals, *_ = arnoldi(lambda vector: 3.0 * vector, np.ones(5), 4)
    assert len(residuals) == 1 and residuals[0] == 0.0
    np.testing.assert_allclose(values, [3.0])


def test_a_field_that_is_not_finite_is_not_measured():
    broken = types.SimpleNamespace(
        size=3, critic_size=1, jacobian=lambda: np.full([3, 3], np.nan), transposed_product=lambda u: u * np.nan
    )
    for most in (3, 0):
        with pytest.raises(NotMeasured, match="not finite"):
            spectrum(broken, most_exact=most)


def test_the_path_angle_changes_its_sign_at_an_attractor_only():
    older = [np.array([[1.6]]), np.zeros(1), np.zeros([1, 1]), np.array([-1.2])]
    cosines = {}
    for name, dynamics in (("turning", Simultaneous()), ("attracting", Consensus(gamma=100.0))):
        _, field = bilinear(dynamics)
        field.assign([np.zeros(weight.shape) for weight in field.weights()])
        order = [np.reshape(value, weight.shape) for value, weight in zip(older, field.weights())]
        path = path_angle(field, 7, order, positions=(0.0, 0.5, 1.5))
        assert all((weight == 0).all() for weight in field.weights()) and path.first_step == 7
        cosines[name] = path.cosines
        np.testing.assert_allclose(path.norms[0], 2 * np.hypot(1, dynamics.gamma if name == "attracting" else 0))
    # The way is radial, -v = (-b, w) is tangential; consensus adds -γ(w, b).
    np.testing.assert_allclose(cosines["turning"], [0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(cosines["attracting"], np.array([1, 1, -1]) * 100 / np.hypot(1, 100), rtol=1e-12)


def of_game(eigenvalues):
    """A spectrum whose eigenvectors are of both players."""
    return Spectrum(np.array(eigenvalues, complex), True, len(eigenvalues), np.full(len(eigenvalues), 0.5))


@pytest.mark.parametrize("critic_share, regime", [(0.2, "still on its way"), (0.4, "Diverging"), (0.99, "Diverging")])
def test_growth_of_the_generators_own_curvature_is_no_divergence(critic_share, regime):
    found = Spectrum(np.array([6.0, -5.0, 0.1], complex), True, 3, np.array([critic_share, 0.9, 0.5]))
    section = judge(found)
    assert regime in section["verdict"].partition(":")[0]
    assert section["level"] == ("severe" if regime == "Diverging" else "none")
    assert section["rests_on"]["largest_real_part"] == 6.0
    assert section["rests_on"]["largest_real_part_of_game"] == (6.0 if regime == "Diverging" else 0.1)


def test_without_an_eigenvalue_of_the_game_nothing_grows():
    section = judge(Spectrum(np.array([6.0, 5.0], complex), False, 2, np.zeros(2)))
    assert section["rests_on"]["largest_real_part_of_game"] == 0.0 and section["level"] == "none"


@pytest.mark.parametrize("most_exact", [3, 0])
def test_critic_shares_are_those_of_the_left_eigenvectors(most_exact):
    jacobian = np.array([[1.0, 0.2, 0.1], [0.4, -3.0, 0.3], [0.0, 0.5, 2.0]])
    field = types.SimpleNamespace(
        size=3, critic_size=1, jacobian=lambda: -jacobian, transposed_product=lambda vector: -jacobian.T @ vector
    )
    found = spectrum(field, most_exact=most_exact)
    for value, share in zip(found.eigenvalues, found.critic_shares):
        # The null vector of (J - λ)ᵀ, by its singular values.
        left = np.linalg.svd(jacobian.T - value * np.eye(3))[2][-1]
        assert share == pytest.approx(np.abs(left[0]) ** 2, rel=1e-9)


@pytest.mark.parametrize(
    "eigenvalues, level, opening",
    [
        ([-10, -1 + 1j, -1 - 1j], "none", "No non-convergence"),
        ([-10, -1 + 3j, -1 - 3j], "partial", "Rotating"),
        # Too small to matter beside the largest.
        ([-100, -1 + 3j, -1 - 3j], "none", "No non-convergence"),
        ([-10, 0.5], "none", "No non-convergence"),
        ([-10, 2, 0.2 + 4j, 0.2 - 4j], "partial", "Rotating"),
        ([-10, 6], "severe", "Diverging"),
        ([0, 0], "none", "No non-convergence"),
    ],
)
def test_verdicts(eigenvalues, level, opening):
    section = judge(of_game(eigenvalues), None, "it has one checkpoint only")
    assert section["level"] == level and section["verdict"].startswith(opening)
    assert ("try_next" in section) == (level != "none")
    assert section["eigenvalues"] == [[value.real, value.imag] for value in np.array(eigenvalues, complex)]
    assert "no path angle: it has one checkpoint only" in section["verdict"]


@pytest.mark.parametrize(
    "cosines, told",
    [([0.5, 0.1, -0.4], "it changes its sign"), ([0.1, 0.5, 0.1], "it has a bump"), ([0.4, 0.5, 0.4], "0.4 beyond.")],
)
def test_the_shape_of_a_path_is_told(cosines, told):
    path = convergence.Path(3, np.array([0.5, 1.0, 1.5]), np.array(cosines), np.ones(3))
    section = judge(of_game([-1.0]), path)
    assert told in section["verdict"] and section["path"]["cosine"] == cosines
    numbers = [section["rests_on"][f"path_cosine_{place}"] for place in ("before", "here", "beyond")]
    assert numbers == cosines


def test_a_pure_rotation_has_no_finite_ratio():
    section = judge(of_game([1j, -1j]))
    assert section["rests_on"]["largest_imaginary_to_real"] is None and "infinitely many times" in section["verdict"]


def test_a_run_is_diagnosed_and_stays_as_it_was(small_run):
    run = small_run("non_saturating")
    before = [variable.numpy() for variable in run.model.variables]
    section = convergence.diagnose(types.SimpleNamespace(context=types.SimpleNamespace(run=run), quick=True))
    assert section["rests_on"]["all_eigenvalues"] == 1 and section["rests_on"]["batch_size"] == 256
    weights = sum(run.model.networks[name].count_params() for name in ("critic", "generator"))
    assert len(section["eigenvalues"]) == weights == section["rests_on"]["eigenvalues_found"]
    # The checkpoints of steps 3 and 6.
    assert "along the line from step 3 " in section["verdict"] and len(section["path"]["cosine"]) == 13
    for variable, value in zip(run.model.variables, before):
        np.testing.assert_array_equal(variable.numpy(), value)
