"""Non-convergence: whether the players' moves lead anywhere. The Jacobian of the joint gradient field, whose spectrum
says how small deviations from a checkpoint grow, shrink and turn, and the path angle.

Mescheder, Nowozin & Geiger 2017, "The numerics of GANs"; Nagarajan & Kolter 2017, "Gradient descent GAN optimization is
locally stable"; Berard et al. 2020, "A closer look at the optimization landscapes of generative adversarial networks".
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from export.diagnostics import thresholds
from export.diagnostics.game import Game, NotMeasured, adversarial
from export.diagnostics.section import section
from zoo.progress import Progress

#: Most weights of both players for which the whole matrix is computed: its eigenvalues take some seconds.
MOST_EXACT = 2000
#: Examples of the batch that the field is of; fewer for networks of many weights, whose products take a second each.
_BATCH, _BATCH_OF_LARGE, _LARGE = 256, 64, 100_000
#: Products with the transposed Jacobian.
_PRODUCTS, _QUICK_PRODUCTS = 32, 10
#: Places on the line through two checkpoints: 0 is the older one, 1 the newest.
POSITIONS = tuple(np.linspace(0.0, 1.5, 13).tolist())
_SEED = 20_200_426

TRY_NEXT = {
    "rotating": (
        "a dynamics that turns the field towards the equilibrium, --config.dynamics=consensus or locally_stable; a "
        "gradient penalty on the critic, --config.techniques.zero_centred.at=real (R1); a larger average, "
        "--config.train.ema_decay=0.9995, which stands in the middle of a circle."
    ),
    "diverging": (
        "smaller learning rates, or rates that fall, --config.train.decay_from=0.5; a gradient penalty on the critic, "
        "--config.techniques.zero_centred.at=real (R1); a larger batch."
    ),
}


class JointField:
    """The field v that a GAN's dynamics descends, on one batch and one draw of noise, as a function of all weights.

    Args:
        gan: `trainers.gan.GAN`. Its weights are read at each call; nothing else of it changes.
        real: a `zoo.batch.Batch`, as a step takes it.
        noise: `zoo.noise.Noise` of as many rows.

    Attributes:
        variables: the trainable variables of the critic, then of the generator.
        size: number of their weights, n.
        critic_size: how many of these are the critic's, the first ones.
    """

    def __init__(self, gan, real, noise):
        players = gan.players["critic"], gan.players["generator"]
        self.variables = [variable for player in players for variable in player.variables]
        sizes = [sum(int(np.prod(variable.shape)) for variable in player.variables) for player in players]
        self.size, self.critic_size = sum(sizes), sizes[0]
        self._dtype = self.variables[0].dtype

        def field():
            # What the networks update in training mode, such as moving statistics, is dropped.
            with keras.StatelessScope():
                of_critic, of_generator = gan.dynamics.field(gan, real, noise)
                return tf.concat([tf.reshape(part, [-1]) for part in [*of_critic, *of_generator]], 0)

        def transposed_product(vector):
            with tf.GradientTape() as tape:
                product = tf.reduce_sum(field() * vector)
            values = [variable.value for variable in self.variables]
            parts = tape.gradient(product, values, unconnected_gradients="zero")
            return tf.concat([tf.reshape(part, [-1]) for part in parts], 0)

        self._field = tf.function(field, autograph=False)
        self._transposed_product = tf.function(transposed_product, autograph=False)
        self._rows = tf.function(lambda directions: tf.map_fn(transposed_product, directions), autograph=False)

    def __call__(self):
        """v, float64 [n], at the present weights."""
        return self._field().numpy().astype(np.float64)

    def transposed_product(self, vector):
        """v'ᵀu for a vector u, float64 [n]: the gradient of ⟨v, u⟩. It costs a few times what v costs."""
        vector = tf.constant(np.ravel(vector), self._dtype)
        return self._transposed_product(vector).numpy().astype(np.float64)

    def jacobian(self):
        """v', float64 [n, n]: row i is the gradient of vᵢ."""
        return self._rows(tf.eye(self.size, dtype=self._dtype)).numpy().astype(np.float64)

    def weights(self):
        """The present weights, a list of arrays like `variables`."""
        return [np.array(variable) for variable in self.variables]

    def assign(self, weights):
        """Sets the weights."""
        for variable, value in zip(self.variables, weights, strict=True):
            variable.assign(value)


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of the Jacobian of θ̇ = -v(θ), which is -v'.

    Attributes:
        eigenvalues: complex128 [k], the largest in magnitude first: all of them, or those at the ends of the spectrum.
        exact: whether they are all.
        products: how many products with the transposed Jacobian were computed.
        critic_shares: float64 [k], the critic's part of the squared norm of each one's left eigenvector: near 0 or 1
            where it is of one player's own curvature, between where it is of the game.
    """

    eigenvalues: np.ndarray
    exact: bool
    products: int
    critic_shares: np.ndarray

    @property
    def radius(self):
        """The largest magnitude."""
        return float(np.abs(self.eigenvalues).max())

    @property
    def largest_real_part(self):
        """Above 0 some deviation from the checkpoint grows."""
        return float(self.eigenvalues.real.max())

    @property
    def growth(self):
        """The same without the eigenvalues of the generator's own curvature; 0 if none is left.

        At an equilibrium where the generator makes the data, the block of its own curvature is zero (Nagarajan & Kolter
        2017, theorem 3.1). Elsewhere its loss may curve down, as any loss does on the way to a minimum: then it has
        not settled, which is no fault of the game. (Berard et al. 2020 find runs that go well to end at such points.)
        """
        of_game = self.eigenvalues.real[self.critic_shares >= thresholds.OF_GENERATOR]
        return float(of_game.max()) if len(of_game) else 0.0

    @property
    def rotation(self):
        """The largest |imaginary| / |real| of the eigenvalues that matter: of magnitude above a part of the radius. Inf
        for a pure rotation."""
        leading = self.eigenvalues[np.abs(self.eigenvalues) >= thresholds.LEADING * self.radius]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.abs(leading.imag) / np.abs(leading.real)
        return float(np.nan_to_num(ratios, nan=0.0, posinf=np.inf).max())


def spectrum(field, *, products=_PRODUCTS, most_exact=MOST_EXACT, progress=lambda done: None):
    """The spectrum at the present weights.

    Up to `most_exact` weights of the whole matrix. Beyond, the ends of the spectrum by Arnoldi's method, applied to the
    transposed Jacobian: it has the same eigenvalues, and its products need no forward mode.

    Args:
        field: `JointField`, or anything with its `size`, `critic_size`, `jacobian` and `transposed_product`.
        products: most products with the transposed Jacobian, the dimension of the Krylov space.
        progress: function of the number of products so far.

    Raises:
        NotMeasured: no eigenvalue converged, or the Jacobian is not finite.
    """
    if field.size <= most_exact:
        jacobian = -field.jacobian()
        if not np.isfinite(jacobian).all():
            raise NotMeasured("the Jacobian has values that are not finite")
        eigenvalues, vectors = np.linalg.eig(jacobian.T)
        shares = (np.abs(vectors[: field.critic_size]) ** 2).sum(0)
        return _sorted(eigenvalues, shares, True, field.size)
    start = np.random.default_rng(_SEED).normal(size=field.size)
    eigenvalues, residuals, coefficients, basis = arnoldi(
        lambda vector: -field.transposed_product(vector), start, min(products, field.size), progress
    )
    # A Ritz value is an eigenvalue of a matrix that differs from the Jacobian by its residual.
    converged = residuals <= thresholds.RITZ * np.abs(eigenvalues).max()
    if not converged.any():
        raise NotMeasured(f"no eigenvalue of the Jacobian converged in {len(residuals)} products")
    of_critic = [vector[: field.critic_size] for vector in basis]
    gram = np.array([[one @ two for two in of_critic] for one in of_critic])
    shares = np.einsum("ik,ij,jk->k", coefficients.conj(), gram, coefficients).real
    return _sorted(eigenvalues[converged], shares[converged], False, len(residuals))


def arnoldi(product, start, steps, progress=lambda done: None):
    """Ritz values of a matrix in the Krylov space of `start`: Arnoldi's method with modified Gram-Schmidt, done twice.
    Saad 2011, "Numerical methods for large eigenvalue problems", algorithms 6.2 and 6.3, proposition 6.8.

    One space holds approximations of both ends of the spectrum. (ARPACK restarts for one, at twice the products.)

    Args:
        product: function of a vector, float64 [n], → the matrix times it.
        start: float64 [n], not zero.
        steps: dimension of the space, 1 to n.
        progress: function of the number of products so far.

    Returns:
        (Ritz values, complex128 [k]; norms of their residuals, float64 [k]; coefficients of the Ritz vectors of norm 1,
        complex128 [k, k], a column each; the orthonormal basis that they are of, a list of k arrays [n]): k is below
        `steps` where the space is invariant.

    Raises:
        NotMeasured: a product is not finite.
    """
    basis = [start / np.linalg.norm(start)]
    hessenberg = np.zeros([steps + 1, steps])
    for column in range(steps):
        vector = product(basis[column])
        if not np.isfinite(vector).all():
            raise NotMeasured("the Jacobian has values that are not finite")
        size = np.linalg.norm(vector)
        for _ in range(2):
            for row, known in enumerate(basis):
                overlap = known @ vector
                hessenberg[row, column] += overlap
                vector = vector - overlap * known
        hessenberg[column + 1, column] = left = np.linalg.norm(vector)
        progress(column + 1)
        if left <= 1e-12 * size:
            hessenberg[column + 1, column] = 0.0
            break
        basis.append(vector / left)
    done = column + 1
    values, vectors = np.linalg.eig(hessenberg[:done, :done])
    residuals = hessenberg[done, done - 1] * np.abs(vectors[-1])
    return values.astype(np.complex128), residuals, vectors.astype(np.complex128), basis[:done]


def _sorted(eigenvalues, critic_shares, exact, products):
    order = np.argsort(-np.abs(eigenvalues), kind="stable")
    return Spectrum(eigenvalues[order].astype(np.complex128), exact, products, critic_shares[order])


@dataclasses.dataclass(frozen=True)
class Path:
    """The field along the line from an older checkpoint through the newest. Berard et al. 2020, section 4.2.

    Attributes:
        first_step: step of the older one.
        positions: [p], 0 at the older one, 1 at the newest.
        cosines: [p], of the angle between -v and the line's direction, forwards.
        norms: [p], ‖v‖.
    """

    first_step: int
    positions: np.ndarray
    cosines: np.ndarray
    norms: np.ndarray


def path_angle(field, first_step, older, positions=POSITIONS):
    """The path angle of a `JointField` on the line from the weights `older` to the present ones.

    Where the newest checkpoint attracts, the cosine changes its sign there, from above 0 to below. Where the players
    turn around it, the field crosses the line, and the cosine has a bump or stays near 0 (section 4.2).

    Raises:
        NotMeasured: the two are the same.
    """
    newest = field.weights()
    direction = np.concatenate([np.ravel(new - old).astype(np.float64) for new, old in zip(newest, older)])
    length = np.linalg.norm(direction)
    if length == 0.0:
        raise NotMeasured("the weights of the kept checkpoints are the same")
    cosines, norms = [], []
    try:
        for position in positions:
            field.assign([old + position * (new - old) for new, old in zip(newest, older)])
            value = -field()
            norms.append(float(np.linalg.norm(value)))
            cosines.append(float(value @ direction / (norms[-1] * length)) if norms[-1] else 0.0)
    finally:
        field.assign(newest)
    return Path(first_step, np.array(positions), np.array(cosines), np.array(norms))


def diagnose(found):
    """A report's section "non_convergence".

    Args:
        found: `export.diagnostics.diagnose.Found`.

    Raises:
        NotMeasured: the run's game has not two players whose field can be differentiated.
    """
    run = adversarial(found.context)
    if "two_players" in run.model.lacks:
        raise NotMeasured(f"{run.config.objective!r}: {run.model.lacks['two_players']}")
    weights = sum(run.model.networks[name].count_params() for name in ("critic", "generator"))
    game = Game(run, _BATCH if weights <= _LARGE else _BATCH_OF_LARGE)
    (real,) = game.batches("train", 1, _SEED)
    field = JointField(game.model, real, game.noise(0))
    products = _QUICK_PRODUCTS if found.quick else _PRODUCTS
    with Progress(products, "spectrum of the joint field", "product") as progress:
        try:
            of_field = spectrum(field, products=products, progress=progress.update)
        except (LookupError, NotImplementedError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise NotMeasured(
                f"the field of {run.config.dynamics!r} cannot be differentiated here ({reason})"
            ) from error
        path, no_path = None, "it has one checkpoint only"
        if former := game.former_weights(("critic", "generator")):
            try:
                path = path_angle(field, *former)
            except NotMeasured as reason:
                no_path = str(reason)
    return judge(of_field, path, no_path, run.config.dynamics, game.batch_size)


def judge(of_field, path=None, no_path="", dynamics="simultaneous", batch_size=None):
    """The section of what was measured.

    Args:
        of_field: `Spectrum`.
        path: `Path`, or None.
        no_path: why there is no path.
        dynamics: name of the run's dynamics.
        batch_size: examples of the batch that the field is of.
    """
    radius, growth, rotation = of_field.radius, of_field.growth, of_field.rotation
    regime, level = "stable", "none"
    if radius and growth > thresholds.GROWTH * radius:
        regime, level = "diverging", "severe"
    elif rotation > thresholds.ROTATION:
        regime, level = "rotating", "partial"
    elif of_field.largest_real_part > max(growth, thresholds.GROWTH * radius):
        regime = "moving"
    opening = {
        "stable": "No non-convergence seen",
        "moving": "No non-convergence seen, but the generator is still on its way",
        "rotating": "Rotating",
        "diverging": "Diverging",
    }[regime]
    part = growth / radius if radius else 0.0
    parts = {
        "moving": [
            "near this checkpoint the generator's own loss curves down, at "
            f"{of_field.largest_real_part / radius if radius else 0.0:.0%} of the fastest change: it has not settled",
            f"other deviations grow at most at {max(part, 0.0):.1%}",
        ],
        "stable": [
            f"near this checkpoint the players' moves under {dynamics} lead back: deviations grow at most at "
            f"{max(part, 0.0):.1%} of the fastest change, and turn at most {rotation:.2g} times as fast as they shrink"
        ],
        "rotating": [
            f"near this checkpoint the players turn around each other under {dynamics}: a deviation turns "
            f"{_ratio(rotation)} as fast as it grows or shrinks"
        ],
        "diverging": [f"near this checkpoint deviations grow under {dynamics}, at {part:.0%} of the fastest change"],
    }[regime]
    rests_on = {
        "largest_real_part": of_field.largest_real_part,
        "largest_real_part_of_game": growth,
        "largest_imaginary_to_real": rotation,
        "spectral_radius": radius,
        "eigenvalues_found": len(of_field.eigenvalues),
        "all_eigenvalues": int(of_field.exact),
    }
    if batch_size:
        rests_on["batch_size"] = batch_size
    plotted = {"eigenvalues": [[value.real, value.imag] for value in of_field.eigenvalues]}
    if path is None:
        parts.append(f"no path angle: {no_path}")
    else:
        before, at, after = (float(np.interp(place, path.positions, path.cosines)) for place in (0.5, 1.0, 1.5))
        parts.append(
            f"along the line from step {path.first_step} the cosine between the moves and the way gone is {before:.2g} "
            f"halfway, {at:.2g} here and {after:.2g} beyond{_shape(before, at, after)}"
        )
        rests_on |= {"path_cosine_before": before, "path_cosine_here": at, "path_cosine_beyond": after}
        plotted["path"] = {"position": path.positions, "cosine": path.cosines, "norm": path.norms}
    return section(level, opening, parts, rests_on, TRY_NEXT.get(regime), **plotted)


def of_distances(distances):
    """The section of how the samples' distance from the data went while a run trained: whether it leads away again.

    Args:
        distances: of checkpoints, oldest first; None where one was not measured.
    """
    known = [distance for distance in distances if distance is not None]
    best = min(known, default=0.0)
    rests_on = {"distance": known[-1] if known else None, "smallest_distance": best, "checkpoints": len(known)}
    times = [distance / best if best else 1.0 for distance in known[-2:]]
    if len(known) > 2 and min(times) > thresholds.WORSE:
        part = (
            f"at the last two checkpoints the samples are {times[0]:.2g} and {times[1]:.2g} times as far from the data "
            "as at the best one"
        )
        return section("severe", "Diverging", [part], rests_on, TRY_NEXT["diverging"])
    return section("none", "No non-convergence seen", ["the samples' distance from the data has not doubled"], rests_on)


def _shape(before, at, after):
    """What the path angle's curve looks like, where it looks like one of those of Berard et al., figure 3."""
    if before > 0 > after:
        return ": it changes its sign, as where a checkpoint attracts"
    if at > thresholds.BUMP * max(before, after, 0.0):
        return ": it has a bump, as where players turn around a checkpoint"
    return ""


def _ratio(value):
    return f"{value:.3g} times" if np.isfinite(value) else "infinitely many times"
