"""Mistakes that the tests must notice, one a row: `make mutants` makes each in a copy of the tree and runs its tests.

A row is a text that occurs once in a file and what stands there instead; the tests are those of its group. What changes
nothing that can be observed is kept beside the others with the reason, so that it is not tried again.
"""

import dataclasses

OF_OBJECTIVES = "tests/trainers/objectives"
OBJECTIVES = "tests/trainers/test_objectives.py"
DEFAULTS = "tests/trainers/test_defaults.py"
MODES = "tests/trainers/test_training_mode.py"
GAN = "tests/trainers/test_gan.py"
DYNAMICS = "tests/trainers/test_dynamics.py"
EVERY_DYNAMICS = "tests/trainers/dynamics/test_every_dynamics.py"
BILINEAR = "tests/trainers/dynamics/test_dynamics_bilinear.py"
DERIVATIVES = "tests/trainers/dynamics/test_dynamics_derivatives.py"
PENALTIES = "tests/trainers/techniques/test_penalties.py"
NOISE = "tests/trainers/techniques/test_instance_noise.py"
COMPOSE = "tests/trainers/techniques/test_techniques_compose.py"
TIGHTER = f"{COMPOSE} -k tighter"
LABELS = "tests/trainers/techniques/test_label_smoothing.py"
MIXTURE = "tests/trainers/test_mixture.py"
EVERY = "tests/trainers/test_every_objective.py"
TRAINING = "tests/trainers/test_training.py"
CHECKPOINTS = "tests/trainers/test_checkpoints.py"
RUNS = "tests/trainers/test_runs.py"
METRICS = "tests/export/metrics"
METRIC_DEFAULTS = f"{METRICS}/test_metric_defaults.py"


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One mistake.

    Attributes:
        file: path from the root.
        old, new: what is replaced, which occurs once in the file, and by what.
        tests: pytest's arguments that choose the tests that should fail, as on a command line.
        equivalent: why nothing can fail, or "".
    """

    file: str
    old: str
    new: str
    tests: str
    equivalent: str = ""

    def __str__(self):
        return f"{self.file}: {self.old!r} -> {self.new!r}"


def _of(file, tests, *rows):
    """The mutants of one file that the same tests should kill: rows of (old, new), or (old, new, why equivalent)."""
    return [Mutant(file, old, new, tests, *why) for old, new, *why in rows]


_IN_OBJECTIVES = [
    *_of(
        "trainers/objectives/minimax.py",
        f"{OBJECTIVES} {LABELS} -k 'closed_form or refused'",
        ("tf.nn.softplus(-real_scores), tf", "tf.nn.softplus(real_scores), tf"),
        ("tf.nn.softplus(fake_scores)\n        if", "tf.nn.softplus(-fake_scores)\n        if"),
        ("(1.0 - self.real_label)", "self.real_label"),
        ("tf.nn.softplus(real_scores)\n", "tf.nn.softplus(-real_scores)\n"),
        ("tf.reduce_mean(of_real) + ", "tf.reduce_mean(of_real) - "),
        ("return -tf.reduce_mean", "return tf.reduce_mean"),
        ("if self.real_label < 1:", "if self.real_label < 0.9:"),
        ("if real_label > 1:", "if real_label > 2:"),
    ),
    *_of("trainers/objectives/minimax.py", DEFAULTS, ("real_label=1.0", "real_label=0.9")),
    *_of("trainers/objectives/non_saturating.py", OBJECTIVES, ("softplus(-fake_scores)", "softplus(fake_scores)")),
    *_of(
        "trainers/objectives/least_squares.py",
        OBJECTIVES,
        ("0.5 * (real + fake)", "real + fake"),
        ("0.5 * (real + fake)", "0.5 * (real - fake)"),
        ("real_scores - self.real_target", "real_scores + self.real_target"),
        ("fake_scores - self.fake_target", "fake_scores"),
        ("fake_scores - self.generator_target", "fake_scores - self.real_target"),
    ),
    *_of("trainers/objectives/least_squares.py", DEFAULTS, ("generator_target=1.0", "generator_target=0.0")),
    *_of(
        "trainers/objectives/wasserstein.py",
        f"{OBJECTIVES} -k 'closed_form and wasserstein'",
        ("tf.reduce_mean(fake_scores) - tf.reduce_mean(real_scores)", "tf.reduce_mean(fake_scores + real_scores)"),
        ("return -tf.reduce_mean(fake_scores)", "return tf.reduce_mean(fake_scores)"),
    ),
    *_of(
        "trainers/objectives/wasserstein.py",
        f"{DEFAULTS} -k wasserstein",
        ("clip=0.01", "clip=0.1"),
        ("critic_steps=5", "critic_steps=1"),
        ("RMSprop(5e-5)", "RMSprop(5e-4)"),
        ("keras.optimizers.RMSprop(5e-5)", "keras.optimizers.Adam(5e-5)"),
    ),
    *_of("trainers/objectives/wasserstein.py", TIGHTER, ("min(filter(None, (clip", "max(filter(None, (clip")),
    *_of(
        "trainers/objectives/wasserstein_gp.py",
        f"{OBJECTIVES} -k penalty_loss",
        ("+ self.penalty_weight * penalty", "- self.penalty_weight * penalty"),
        ("self.penalty_weight * penalty", "penalty"),
    ),
    *_of(
        "trainers/objectives/wasserstein_gp.py",
        f"{DEFAULTS} -k wasserstein_gp",
        ("beta_1=0.0", "beta_1=0.5"),
        ("beta_2=0.9", "beta_2=0.999"),
        ("Adam(1e-4", "Adam(2e-4"),
        ("critic_steps=5", "critic_steps=1"),
        ("clip=0.0", "clip=0.01"),
        ("penalty_weight=10.0", "penalty_weight=1.0"),
        ('critic_normalization = "layer"', 'critic_normalization = "batch"'),
    ),
    *_of(
        "trainers/objectives/wasserstein_gp.py",
        f"{PENALTIES} -k 'mixes and wasserstein'",
        ("penalises_gradients = True", "penalises_gradients = False"),
    ),
    *_of(
        "trainers/objectives/hinge.py",
        f"{OF_OBJECTIVES}/test_hinge.py",
        ("1.0 - real_scores", "1.0 + real_scores"),
        ("1.0 + fake_scores", "1.0 - fake_scores"),
        ("return -tf.reduce_mean", "return tf.reduce_mean"),
        ('critic_normalization = "spectral"', 'critic_normalization = "batch"'),
    ),
    *_of(
        "trainers/objectives/maximum_likelihood.py",
        f"{OF_OBJECTIVES}/test_maximum_likelihood.py {DEFAULTS} -k maximum_likelihood",
        ("-tf.reduce_mean(tf.exp", "tf.reduce_mean(tf.exp"),
        ("tf.minimum(fake_scores, self.clip)", "fake_scores"),
        ("clip=10.0", "clip=1.0"),
    ),
    *_of(
        "trainers/objectives/dragan.py",
        f"{OF_OBJECTIVES}/test_dragan.py {DEFAULTS} -k 'dragan and not replicas'",
        ("+ self.penalty_weight * penalty", "+ penalty"),
        ("around), self.target", "around)"),
        ("surroundings(real, noise, self.spread)", "surroundings(real, noise)"),
        ("surroundings(real, noise", "surroundings(fake, noise"),
        ("spread=0.5", "spread=1.0"),
        (
            "tf.stop_gradient(around)",
            "around",
            "the points around real examples depend on no weight, so nothing is cut off",
        ),
    ),
    *_of(
        "trainers/objectives/energy_based.py",
        f"{OF_OBJECTIVES}/test_energy_based.py {DEFAULTS} -k 'energy_based and not replicas'",
        ("self.margin - fake_scores", "self.margin + fake_scores"),
        ("tf.reduce_mean(real_scores) +", "-tf.reduce_mean(real_scores) +"),
        ("return tf.reduce_mean(fake_scores)", "return -tf.reduce_mean(fake_scores)"),
        ("+ self.pull_away_weight * repelling", "+ repelling"),
        ("+ self.pull_away_weight * repelling", "- self.pull_away_weight * repelling"),
        ("margin=10.0", "margin=1.0"),
        ("pull_away_weight=0.1", "pull_away_weight=1.0"),
    ),
    *_of(
        "trainers/objectives/energy_based.py",
        f"{MODES} -k energy_based",
        ("self.critic.features(fake, training=True)", "self.critic.features(fake)"),
        ("self.critic.energy(fake, codes, training=True)", "self.critic.energy(fake, codes)"),
    ),
    *_of(
        "trainers/objectives/f_divergence.py",
        f"{OF_OBJECTIVES}/test_f_divergence.py {DEFAULTS} -k 'losses_and or defaults'",
        ("composed(fake_scores)) - ", "composed(fake_scores)) + "),
        ("self._row.activation(real_scores)", "self._row.composed(real_scores)"),
        ("if self.saturating", "if not self.saturating"),
        ("return -tf.reduce_mean(term", "return tf.reduce_mean(term"),
        ('divergence="jensen_shannon"', 'divergence="gan"'),
    ),
    *_of(
        "trainers/objectives/_divergences.py",
        f"{OF_OBJECTIVES}/test_f_divergence.py",
        ("conjugate=lambda t: tf.exp(t - 1.0)", "conjugate=lambda t: tf.exp(t)"),
        ("composed=lambda v: tf.exp(v - 1.0)", "composed=lambda v: tf.exp(v)"),
        ("activation=lambda v: -tf.exp(-v)", "activation=lambda v: -tf.exp(v)"),
        ("composed=lambda v: 0.25 * tf.square(v) + v", "composed=lambda v: 0.25 * tf.square(v) - v"),
        ("curvature=lambda v: 0.5 * tf.exp(-0.5 * v)", "curvature=lambda v: tf.exp(-0.5 * v)"),
        ("curvature=lambda v: 2.0 * tf.exp(v)", "curvature=lambda v: tf.exp(v)"),
        ("composed=lambda v: tf.nn.softplus(v) - _LOG_2", "composed=lambda v: tf.nn.softplus(v)"),
        ("activation=lambda v: -tf.nn.softplus(-v)", "activation=lambda v: tf.nn.softplus(v)"),
        ("return tf.exp(-log_w) * tf.sigmoid(-log_w)", "return tf.exp(-log_w)"),
        ("range(6)", "range(2)"),
    ),
    *_of(
        "trainers/objectives/jensen_shannon_regularized.py",
        f"{OF_OBJECTIVES}/test_jensen_shannon_regularized.py {DEFAULTS} -k jensen_shannon_regularized",
        ("+ 0.5 * tf.cast(self.current_gamma", "+ tf.cast(self.current_gamma"),
        ("tf.sigmoid(-real_scores)", "tf.sigmoid(real_scores)"),
        ("tf.sigmoid(fake_scores)", "tf.sigmoid(-fake_scores)"),
        ("return of_real + ", "return of_real - "),
        ("self._row.curvature(fake_scores) * fake_slopes", "fake_slopes"),
        ("tf.cast(self.step.value, tf.float32) / float(self.decay_steps), 1.0", "0.0, 1.0"),
        ("gamma=0.1", "gamma=1.0"),
    ),
    *_of(
        "trainers/objectives/loss_sensitive.py",
        f"{OF_OBJECTIVES}/test_loss_sensitive.py {DEFAULTS} -k loss_sensitive",
        ("margins + real_scores - fake_scores", "margins - real_scores + fake_scores"),
        ("self.loss_weight * tf.reduce_mean(real_scores)", "tf.reduce_mean(real_scores)"),
        ("self.penalty_weight * violations", "violations"),
        ("self.margin_scale * _DISTANCES", "_DISTANCES"),
        ("return tf.reduce_mean(fake_scores)", "return -tf.reduce_mean(fake_scores)"),
        ('distance="l1"', 'distance="l2"'),
        ("margin_scale=0.0002", "margin_scale=1.0"),
        (
            "tf.stop_gradient(self.margins(real, fake))",
            "self.margins(real, fake)",
            "the margins move the hinge, whose slope is what the players' gradients and their derivatives have in them",
        ),
    ),
    *_of(
        "trainers/objectives/feature_matching.py",
        f"{OF_OBJECTIVES}/test_feature_matching.py -k gradient_by",
        ("of_real - of_fake", "of_real + of_fake"),
        ("tf.square(of_real", "tf.abs(of_real"),
        ("tf.reduce_sum(tf.square(", "tf.reduce_mean(tf.square("),
    ),
    *_of(
        "trainers/objectives/feature_matching.py",
        f"{MODES} -k feature_matching",
        ("self.critic.features(real, training=True)", "self.critic.features(real)"),
        ("self.critic.features(fake, training=True)", "self.critic.features(fake)"),
    ),
    *_of(
        "trainers/objectives/mode_regularized.py",
        f"{OF_OBJECTIVES}/test_mode_regularized.py {DEFAULTS} -k mode_regularized",
        ("self.reconstruction_weight * distance + ", "self.reconstruction_weight * distance - "),
        ("tf.nn.softplus(-scores)", "tf.nn.softplus(scores)"),
        ("reconstruction_weight=0.2", "reconstruction_weight=1.0"),
        ("mode_weight=0.4", "mode_weight=0.01"),
        ("variable.assign(value)", "value"),
        ("self._another(self.generator_optimizer", "self._another(self.critic_optimizer"),
        ("self.encoder_loss(batches[-1], self.critic", "self.encoder_loss(batches[0], self.critic"),
        ("+ self.encoder_loss(real, self.critic, noise)", ""),
        ("tf.square(real - reconstructed)", "tf.square(self.seen(real, 'real', noise) - reconstructed)"),
        ('critic(self.seen(reconstructed, "reconstructed", noise)', "critic(reconstructed"),
    ),
    *_of(
        "trainers/objectives/mode_regularized.py",
        f"{MODES} -k mode_regularized",
        ("self.encoder(real, training=True)", "self.encoder(real)"),
        ("self.generator(codes, training=True)", "self.generator(codes)"),
        ('"reconstructed", noise), training=True)', '"reconstructed", noise))'),
    ),
    *_of(
        "trainers/objectives/manifold_diffusion.py",
        f"{OF_OBJECTIVES}/test_manifold_diffusion.py {DEFAULTS} -k manifold",
        ("mode_weight=0.01", "mode_weight=0.4"),
        ("reconstruction_weight=1.0", "reconstruction_weight=0.2"),
        ("self.encoder_loss(real, self.manifold_critic, noise)", "self.encoder_loss(real, self.critic, noise)"),
        ("return self.encoder, self.generator", "return (self.encoder,)"),
        (
            "critic_norm = self._move(self.manifold_optimizer, tape, critic_loss, self.manifold_critic)",
            "critic_norm = 0.0",
        ),
        ("self.constrain_critic(self.manifold_critic)", "pass"),
        ("loss += penalty(self.manifold_critic, real, reconstructed, noise)", "pass"),
        ('self.seen(tf.stop_gradient(self.reconstruct(real)), "reconstructed", noise)', "self.reconstruct(real)"),
        ("copy_reference(critic, self.manifold_critic)", "pass"),
        (
            "return GAN.generator_total_loss(self, real, fake, noise)",
            "return super().generator_total_loss(real, fake, noise)",
        ),
        (
            "super().critic_total_loss(tf.stop_gradient(self.reconstruct(real)), fake",
            "super().critic_total_loss(real, fake",
        ),
    ),
    *_of(
        "trainers/objectives/manifold_diffusion.py",
        f"{OF_OBJECTIVES}/test_mode_regularized.py -k last_batch",
        ("real, noise = batches[-1]", "real, noise = batches[0]"),
    ),
    *_of(
        "trainers/objectives/manifold_diffusion.py",
        f"{MODES} -k manifold",
        ("self.manifold_critic(x, training=True)", "self.manifold_critic(x)"),
    ),
    *_of(
        "trainers/objectives/noise_contrastive.py",
        f"{OF_OBJECTIVES}/test_noise_contrastive.py {DEFAULTS} -k 'noise_contrastive and not fits'",
        ("return self.noise_mean + self.noise_scale", "return self.noise_scale"),
        ("self.noise_scale * tf.cast", "tf.cast"),
        ("(x - self.noise_mean)", "x"),
        ("+ 0.5 * math.log(2.0 * math.pi)", ""),
        ("log_density(x) - self.contrast_log_density", "log_density(x) + self.contrast_log_density"),
        ("tf.shape(real)[0], draw)", "tf.shape(real)[0])"),
        ("cost = -tf.reduce_mean", "cost = tf.reduce_mean"),
        ("noise_scale=1.0", "noise_scale=2.0"),
    ),
    *_of(
        "trainers/objectives/self_contrastive.py",
        f"{OF_OBJECTIVES}/test_self_contrastive.py -k 'half or this_step'",
        ("tf.stop_gradient(self.generate(noise))", "self.generate(noise)"),
        ("tf.stop_gradient(self.generator.log_density(x))", "self.generator.log_density(x)"),
    ),
]

_IN_GAN = [
    *_of(
        "trainers/gan.py",
        MODES,
        ("self.critic(real, training=True)", "self.critic(real)"),
        (
            "self.critic(real, training=True), self.critic(fake, training=True)",
            "self.critic(real, training=True), self.critic(fake)",
        ),
        ("self.generator_loss(self.critic(fake, training=True))", "self.generator_loss(self.critic(fake))"),
        (
            'self.generator(noise.normal("latents", [self.latent_dim]), training=True)',
            'self.generator(noise.normal("latents", [self.latent_dim]))',
        ),
        (
            'self.sampler(noise.normal("latents", [self.latent_dim]), training=False)',
            'self.sampler(noise.normal("latents", [self.latent_dim]), training=True)',
        ),
        ("return self.sampler(latents, training=training)", "return self.sampler(latents, training=True)"),
    ),
    *_of(
        "trainers/gan.py",
        DEFAULTS,
        ("ema_decay=0.999", "ema_decay=0.99"),
        ("Adam(2e-4, beta_1=0.5)", "Adam(1e-3, beta_1=0.5)"),
        ("Adam(2e-4, beta_1=0.5)", "Adam(2e-4)"),
        ('critic_normalization = "batch"', 'critic_normalization = "none"'),
        ("weight_clip=0.0", "weight_clip=0.01"),
        ("critic_optimizer or self.default_optimizer()", "self.generator_optimizer"),
    ),
    *_of(
        "trainers/gan.py",
        f"{PENALTIES} {NOISE} -k 'they or losses'",
        ("loss += penalty", "loss -= penalty"),
        (
            "loss = self.compute_critic_loss(real, fake, noise)",
            'loss = self.compute_critic_loss(real, self.seen(fake, "fake", noise), noise)',
        ),
        (
            'real, fake = self.seen(real, "real", noise), self.seen(fake, "fake", noise)\n'
            "        loss = self.compute_critic_loss(real, fake, noise)",
            'loss = self.compute_critic_loss(self.seen(real, "real", noise), self.seen(fake, "fake", noise), noise)',
        ),
        ("self.instance_noise(x, kind, noise", "self.instance_noise(x, 'real', noise"),
        (
            'real, fake = self.seen(real, "real", noise), self.seen(fake, "fake", noise)\n        return',
            "return",
        ),
    ),
    *_of(
        "trainers/gan.py",
        f"{GAN} -k noise_is",
        (".fold_in(self.rollbacks.value)", ""),
        (".fold_in(draw)", ""),
    ),
    *_of(
        "trainers/gan.py",
        f"{GAN} -k 'moving_average or averaging'",
        ("tf.minimum(tf.constant(self.ema_decay", "tf.maximum(tf.constant(self.ema_decay"),
        ("(1.0 + steps) / (10.0 + steps)", "(1.0 + steps) / (1.0 + steps)"),
        ("tf.cast(1.0 - keep", "tf.cast(keep"),
        (
            "return self.averaged_generator if self.ema_decay else",
            "return self.averaged_generator if self.generator else",
        ),
    ),
    *_of("trainers/gan.py", f"{GAN} -k finite", ("with tf.control_dependencies(batches):", "if True:")),
    *_of("trainers/gan.py", f"{GAN} -k labels", ("return batch[0] if", "return batch[1] if")),
    *_of(
        "trainers/gan.py",
        f"{GAN} -k steps_per_execution_changes",
        ("(count < self.steps_per_execution)", "(count <= self.steps_per_execution)"),
        (" & (self.step.value < self.last_step)", ""),
    ),
    *_of(
        "trainers/gan.py",
        f"{GAN} -k means_over",
        ('strategy.reduce("MEAN"', 'strategy.reduce("SUM"'),
        ("all_reduce(tf.distribute.ReduceOp.MEAN, gradients)", "all_reduce(tf.distribute.ReduceOp.SUM, gradients)"),
    ),
    *_of(
        "trainers/gan.py",
        f"{TRAINING} -k 'nonfinite_step'",
        ("return finite & ", "return "),
    ),
    *_of(
        "trainers/gan.py",
        f"{EVERY} -k 'both_players_move and least_squares'",
        ("self.critic_optimizer.apply(gradients, self.critic.trainable_variables)", "pass"),
        ("self.generator_optimizer.apply(gradients, self.generator.trainable_variables)", "pass"),
        ("self._average_generator()\n            self", "self"),
        ("self.step.assign_add(1)", "self.step.assign_add(2)"),
    ),
    *_of("trainers/gan.py", f"{OBJECTIVES} -k bounds_every", ("self.constrain_critic()\n", "\n")),
]

_IN_DYNAMICS = [
    *_of(
        "trainers/dynamics/alternating.py",
        f"{DYNAMICS} {BILINEAR} -k 'alternating or historical_averaging_is'",
        ("tf.shape(real)[0], draw)", "tf.shape(real)[0])"),
        (
            "self.direction(gan, gan.critic, gan.gradients(tape, critic_loss, gan.critic))",
            "gan.gradients(tape, critic_loss, gan.critic)",
        ),
        ("generator_gradients = self.direction(gan, gan.generator, generator_gradients)\n", "\n"),
        ("enumerate(batches)", "enumerate(batches[:1])"),
        (
            "tf.stop_gradient(fake)",
            "fake",
            "only the critic's weights are differentiated there, and they do not make `fake`",
        ),
    ),
    *_of(
        "trainers/dynamics/base.py",
        f"{DYNAMICS} {BILINEAR} {EVERY_DYNAMICS} -k 'simultaneous or logs or come_first or refused'",
        ("tf.shape(real)[0], draw)", "tf.shape(real)[0])"),
        ("tf.shape(last)[0], len(before))", "tf.shape(last)[0])"),
        ("*before, last = batches", "last, *before = batches"),
        ("return self.critic_steps", "return 1"),
        (
            '"critic_gradient_norm": tf.linalg.global_norm(critic_gradients)',
            '"critic_gradient_norm": tf.linalg.global_norm(generator_gradients)',
        ),
        ("critic_steps < 1", "critic_steps < 0"),
        ("not 0 <= value", "not -2 < value"),
        ("gan.update_critic(gan.gradients(tape, critic_loss, gan.critic))", "pass"),
        (
            "tf.stop_gradient(gan.generate(noise))",
            "gan.generate(noise)",
            "only the critic's weights are differentiated there",
        ),
    ),
    *_of(
        "trainers/dynamics/simultaneous.py",
        f"{DYNAMICS} -k simultaneous_takes",
        ("gan.gradients(critic_tape, critic_loss, gan.critic)", "gan.gradients(critic_tape, -critic_loss, gan.critic)"),
        ("gan.update_critic(critic_gradients)\n", "\n"),
        ("gan.update_generator(generator_gradients)\n", "\n"),
        ("tf.stop_gradient(fake)", "fake", "only the critic's weights are differentiated there"),
    ),
    *_of(
        "trainers/dynamics/consensus.py",
        f"{BILINEAR} {DERIVATIVES} {DEFAULTS} -k 'consensus and (path or descends or defaults)'",
        ("v + self.gamma * p for v, p in zip(critic_field", "v - self.gamma * p for v, p in zip(critic_field"),
        ("v + self.gamma * p for v, p in zip(generator_field", "v - self.gamma * p for v, p in zip(generator_field"),
        ("v + self.gamma * p for v, p in zip(generator_field", "v for v, p in zip(generator_field"),
        ("0.5 * squared_norm", "squared_norm"),
        ("critic_field + generator_field", "critic_field"),
        ("self.logs(critic_loss, critic_field", "self.logs(critic_loss, critic_pull"),
        ("gamma=10.0", "gamma=1.0"),
    ),
    *_of(
        "trainers/dynamics/locally_stable.py",
        f"{BILINEAR} {DERIVATIVES} {DEFAULTS} -k 'locally_stable and (path or adds or defaults)'",
        ("generator_loss + self.eta", "generator_loss - self.eta"),
        ("total = generator_loss + ", "total = "),
        ("self.eta * squared_norm", "squared_norm"),
        ("eta=0.5", "eta=1.0"),
        (
            "return self.logs(critic_loss, critic_gradients, generator_loss",
            "return self.logs(critic_loss, critic_gradients, total",
        ),
    ),
    *_of(
        "trainers/dynamics/unrolled.py",
        f"{DERIVATIVES} {BILINEAR} {DEFAULTS} -k 'unrolled or surrogate'",
        ("for _ in range(self.steps):", "for _ in range(1):"),
        ("w - _rate(self.rate, w) * g", "w + _rate(self.rate, w) * g"),
        ("tf.sqrt(1.0 - powers[1])", "tf.sqrt(powers[1])"),
        ("(1.0 - powers[0])", "1.0"),
        ("* (1.0 - one)", "* one"),
        ("self.count = self.count + 1", "self.count = self.count + 2"),
        ("self.first[index], self.second[index] = first, second", "pass"),
        ("(root + self.epsilon)", "root"),
        ("tf.clip_by_value(weight, -bound, bound)", "weight"),
        ("tf.where(none, tf.ones_like(second), second)", "second"),
        (
            "return _substituted(variables, weights)\n\n\ndef",
            "return super().answered(gan, real, fake, noise)\n\n\ndef",
        ),
        (
            "self.rate = optimizer.learning_rate if rate is None else rate\n\n    @staticmethod",
            "self.rate = optimizer.learning_rate\n\n    @staticmethod",
        ),
        ('steps=5, surrogate="adam"', 'steps=1, surrogate="adam"'),
        ('steps=5, surrogate="adam"', 'steps=5, surrogate="sgd"'),
    ),
    *_of(
        "trainers/dynamics/unrolled.py",
        f"{EVERY_DYNAMICS} -k 'replicas and unrolled'",
        ("all_reduce(tf.distribute.ReduceOp.MEAN, gradients)", "all_reduce(tf.distribute.ReduceOp.SUM, gradients)"),
    ),
    *_of(
        "trainers/dynamics/historical_averaging.py",
        f"{BILINEAR} {DEFAULTS} -k 'historical_averaging and (is_that or defaults)'",
        ("g + 2.0 * self.weight", "g - 2.0 * self.weight"),
        ("2.0 * self.weight", "self.weight"),
        ("count = self.count.value + 1", "count = self.count.value + 2"),
        ("0 if player is gan.critic else 1", "1 if player is gan.critic else 1"),
        ("weight=1.0", "weight=0.5"),
        ("mean + (weight - mean) / tf.cast(count, mean.dtype)", "weight"),
    ),
]

_IN_TECHNIQUES = [
    *_of(
        "trainers/penalties.py",
        f"{OBJECTIVES} {PENALTIES} -k 'penalty or flat or they'",
        ("(fake - real)\n", "fake\n"),
        ("[1] * (real.shape.rank - 1)", "real.shape[1:]"),
        ('"real": lambda real, fake, noise: real', '"real": lambda real, fake, noise: fake'),
        ("lambda real, fake, noise: surroundings(real, noise)", "lambda real, fake, noise: surroundings(fake, noise)"),
        ("real + share * spread * deviation * steps", "real + spread * deviation * steps"),
        ("tf.square(real - mean)", "tf.square(real)"),
        ("gradient_norms(critic, x) - target", "gradient_norms(critic, x)"),
        ("0.5 * tf.reduce_mean(squared_gradient_norms", "tf.reduce_mean(squared_gradient_norms"),
        ("tf.where(flat, tf.ones_like(squares), squares)", "squares"),
        ("spread=0.5", "spread=1.0"),
        ("target=1.0", "target=0.0"),
    ),
    *_of(
        "trainers/penalties.py", TIGHTER, ("tf.clip_by_value(variable, -bound, bound)", "tf.minimum(variable, bound)")
    ),
    *_of("trainers/penalties.py", f"{MODES} -k wasserstein_gp", ("critic(x, training=True)", "critic(x)")),
    *_of(
        "trainers/penalties.py",
        f"{OF_OBJECTIVES}/test_energy_based.py {OF_OBJECTIVES}/test_dragan.py -k 'pull or codes or replicas'",
        ("tf.math.l2_normalize(codes, axis=1, epsilon=epsilon)", "codes"),
        ("tf.where(short, squares, tf.ones_like(squares))", "tf.ones_like(squares)"),
        (
            "batch_mean(tf.where(short",
            "tf.reduce_mean(tf.where(short",
            "the term is linear in it, so the mean of losses and gradients over replicas is the same",
        ),
        ("here * replica_count()", "here"),
        ("mean = batch_mean(tf.reduce_mean(real, axes))", "mean = tf.reduce_mean(real)"),
    ),
    *_of(
        "trainers/replicas.py",
        f"{OF_OBJECTIVES}/test_feature_matching.py {OF_OBJECTIVES}/test_energy_based.py -k replicas",
        ("all_reduce(tf.distribute.ReduceOp.MEAN, mean)", "all_reduce(tf.distribute.ReduceOp.SUM, mean)"),
        ("if replica_count() == 1:", "if True:"),
    ),
    *_of(
        "trainers/techniques.py",
        f"{PENALTIES} {NOISE} {DEFAULTS}",
        ("left = 1.0 - tf.cast(step.value", "left = 1.0 + tf.cast(step.value"),
        ("tf.maximum(left, 0.0)", "left"),
        ('f"instance noise {kind}"', '"instance noise real"'),
        ("x + self.std * ", "x - self.std * "),
        (
            "return self.weight * penalties.gradient_norm_penalty(critic, point, self.target)",
            "return self.weight * penalties.gradient_norm_penalty(critic, point)",
        ),
        ("return self.weight * penalties.zero_centred_penalty", "return penalties.zero_centred_penalty"),
        ('at: str = "interpolates"', 'at: str = "real"'),
        ('weight: float = 10.0\n    at: str = "real"', 'weight: float = 1.0\n    at: str = "real"'),
        ("target: float = 1.0", "target: float = 0.0"),
        ("bool) and 0 <= value", "bool) and -1 <= value"),
        ('"normalization", None) == "batch"', '"normalization", None) == "layer"'),
        ("if not gan.penalises_gradients and not gan.penalties:", "if not gan.penalises_gradients:"),
    ),
    *_of(
        "trainers/mixture.py",
        f"{MIXTURE} {DEFAULTS} -k 'descends or templates or (composes and alternating)'",
        ("return -self.entropy_weight", "return self.entropy_weight"),
        ("+ self._entropy_term(self.critic)", "+ self._entropy_term(self.generator)"),
        ("+ self._entropy_term(self.generator)", ""),
        ("tf.exp(self.generator.log_weights())", "tf.exp(self.critic.log_weights())"),
        ("tf.tensordot(tf.exp(self.critic.log_weights()), of_critics, 1)", "tf.reduce_mean(of_critics)"),
        ("entropy_weight=0.1", "entropy_weight=1.0"),
        ("return variable is not self.critic.logits", "return True"),
    ),
    *_of("trainers/mixture.py", f"{MODES} -k mixture", ("[self.latent_dim]), training=True)", "[self.latent_dim]))")),
]

_IN_RUNS = [
    *_of(
        "trainers/schedules.py",
        f"{RUNS} -k rate",
        ("self.end - tf.cast(step, tf.float32)", "self.start - tf.cast(step, tf.float32)"),
        ("max(self.end - self.start, 1)", "max(self.end, 1)"),
        ("tf.clip_by_value(left, 0.0, 1.0)", "left"),
    ),
    *_of(
        "trainers/checkpoints.py",
        CHECKPOINTS,
        ("self.steps()[: -self.keep]", "self.steps()[: -self.keep - 1]"),
        ("in reversed(steps)", "in steps"),
        ("if later > step:", "if later >= step:"),
        ("status.assert_existing_objects_matched()", "status"),
    ),
    *_of(
        "trainers/training.py",
        f"{TRAINING} -k everything",
        ('"start_batch": first_step * k', '"start_batch": first_step'),
        ("gan.last_step.assign(settings.steps)", "pass"),
    ),
    *_of(
        "trainers/training.py",
        f"{TRAINING} -k rollback_goes",
        ("1_000_003 * int(run.gan.rollbacks.numpy())", "0"),
        ("gan.rollbacks.assign(count)", "pass"),
    ),
    *_of(
        "trainers/training.py",
        f"{TRAINING} -k 'gives_up or counts_anew'",
        ("rollbacks = 1 if failure.step > failed_at else rollbacks + 1", "rollbacks = rollbacks + 1"),
        ("rollbacks > _MOST_ROLLBACKS", "rollbacks > 2"),
    ),
    *_of("trainers/training.py", f"{CHECKPOINTS} -k goes_on_from", ("checkpoints.drop_after(restored or 0)", "pass")),
    *_of(
        "trainers/callbacks.py", f"{TRAINING} -k nonfinite_step", ('"critic", "generator")', '"generator", "critic")')
    ),
    *_of(
        "trainers/callbacks.py",
        f"{TRAINING} -k explains",
        ("if step // self.every > self._passed:", "if step // self.every >= self._passed:"),
    ),
    *_of("trainers/callbacks.py", f"{TRAINING} -k signal_saves", ('if row["step"] <= start', 'if row["step"] < start')),
    *_of(
        "trainers/callbacks.py",
        f"{TRAINING} -k everything",
        ("self._passed = int(self.model.step.numpy()) // self.every", "self._passed = 0"),
    ),
    *_of(
        "trainers/runs.py",
        f"{RUNS} {NOISE} {PENALTIES} -k 'rates or the_seed or share_of_the_run or automatic'",
        ("keras.utils.set_random_seed(config.seed)", "keras.utils.set_random_seed(0)"),
        ("int(until * config.train.steps)", "config.train.steps"),
        ("int(config.train.decay_from * updates)", "0"),
        ("updates=config.train.steps * play.batches_per_step", "updates=config.train.steps"),
        ('_optimizer", config.train.decay_from < 1', '_optimizer", config.train.decay_from < 0'),
        ('options["normalization"] = "layer"', 'options["normalization"] = "batch"'),
    ),
    *_of(
        "trainers/runs.py",
        f"{RUNS} -k 'may_change or taken_may_not or without_their'",
        ("    if config.train.decay_from < 1:", "    if config.train.decay_from < 0:"),
        ("config.train.steps < steps[-1]", "config.train.steps < steps[0]"),
        ("    elif steps:", "    elif not steps:"),
        ("if key not in _MAY_CHANGE:", "if False:"),
    ),
    *_of(
        "trainers/training.py",
        f"{TRAINING} -k being_trained_in",
        ("with lock.held(run.workdir) if writes else", "with"),
    ),
    *_of(
        "trainers/runs.py",
        f"{COMPOSE} -k reference_batch_is",
        ('data.arrays("train", layers.REFERENCE_SIZE)', 'data.arrays("test", layers.REFERENCE_SIZE)'),
    ),
    *_of(
        "trainers/config.py",
        f"tests/trainers/test_config_checks.py {RUNS} -k 'replica or out_of_range'",
        ("if batch_size % replicas:", "if batch_size < replicas:"),
        ('0 <= value < 1, "a number in [0, 1)"', '0 <= value <= 1, "a number in [0, 1)"'),
    ),
]

_IN_METRICS = [
    *_of(
        "export/metrics/intervals.py",
        f"{METRICS}/test_intervals.py -k 'halves or scipy or says_why or bound'",
        ("values.var(ddof=1) / len(values)", "values.var() / len(values)"),
        ("level, len(values) - 1)", "level)"),
        ("degrees) ** 2 / count", "degrees) / count"),
        ("share + square / 2.0", "share + square"),
        ("share * (1.0 - share) + square / 4.0", "share * (1.0 - share)"),
        ("np.random.default_rng((seed, index))", "np.random.default_rng(seed)"),
        ("np.array_split(rng.permutation(size), 2)", "np.array_split(np.arange(size), 2)"),
        ("of_halves.var(axis=1, ddof=1)", "of_halves.var(axis=1)"),
        (".mean(axis=0) / 2.0", ".mean(axis=0)"),
        ("(1.0 + level) / 2.0", "level"),
        ("if min(sizes) < FEWEST:", "if min(sizes) < 2:"),
        ("max(lower_bound, float(value - half))", "float(value - half)"),
    ),
    *_of(
        "export/metrics/intervals.py",
        f"{METRICS}/test_intervals.py -k 'frechet or histograms or sliced'",
        ("variance = max(variance - even, variance / 2.0)", "pass"),
        ("math.sqrt(variance) / value)", "math.sqrt(variance))"),
        ("value / factor, value * factor", "value, value * factor"),
    ),
    *_of("export/metrics/kernel.py", METRIC_DEFAULTS, ("degree=3", "degree=2"), ("block_size=1000", "block_size=100")),
    *_of(
        "export/metrics/toy.py",
        METRIC_DEFAULTS,
        ("num_std=3.0", "num_std=2.0"),
        ("min_share=0.01", "min_share=0.1"),
        ("p=2, num_projections", "p=1, num_projections"),
        ("exact_wasserstein(x, y, p=1)", "exact_wasserstein(x, y, p=2)"),
    ),
    *_of(
        "export/metrics/precision_recall.py",
        METRIC_DEFAULTS,
        ("neighbours_precision_recall=5, neighbours", "neighbours_precision_recall=3, neighbours"),
    ),
    *_of("export/metrics/classifier_score.py", METRIC_DEFAULTS, ("splits: int = 1", "splits: int = 10")),
    *_of(
        "export/metrics/neural_net_distance.py",
        METRIC_DEFAULTS,
        ('phi="log", starts=4', 'phi="identity", starts=4'),
        ("max_iterations=500", "max_iterations=50"),
    ),
    *_of(
        "export/metrics/kernel.py",
        f"{METRICS}/test_kernel.py",
        ("total(x, x, True) / (n * (n - 1))", "total(x, x, True) / (n * n)"),
        ("- 2.0 * total", "- total"),
        ("- 2.0 * (first", "- (first"),
        ("np.fill_diagonal(pairs, 0.0)", "pass"),
        ("kernel)) for x, y in pairs]) / blocks", "kernel)) for x, y in pairs])"),
        ("return max(found, ", "return min(found, "),
        ("rows[np.arange(len(rows)), start + np.arange(len(rows))] = 0.0", "pass"),
        ("start + np.arange(len(rows))]", "np.arange(len(rows))]"),
        ("1.0 / x.shape[1] if", "1.0 if"),
        ("estimates.std(ddof=1)", "estimates.std()"),
        ("/ math.sqrt(blocks)", "/ blocks"),
        ("max(1, math.ceil(max(n, m) / block_size))", "max(1, math.floor(max(n, m) / block_size))"),
        ("if seed is not None:", "if seed is None:"),
    ),
    *_of(
        "export/metrics/frechet.py",
        f"{METRICS}/test_frechet.py -k 'not interval'",
        ("self._scatter / (self.count - 1)", "self._scatter / self.count"),
        ("- 2.0 * fidelity", "- fidelity"),
        ("difference @ difference + ", ""),
        ("self.count * count / total)", "count)"),
        ("step * (count / total)", "step * 0.5"),
        ("max(0.0, float(difference", "(float(difference"),
        ("vectors[:, inside] * np.sqrt(values[inside])", "vectors[:, inside] * values[inside]"),
    ),
    *_of(
        "export/metrics/precision_recall.py",
        f"{METRICS}/test_precision_recall.py -k 'not intervals'",
        ("nearest[:, k - 1]", "nearest[:, k - 2]"),
        ("squared <= real_first[rows, None]", "squared <= real_second[rows, None]"),
        ("balls / k_second", "balls / k_first"),
        ("(squared <= samples_first)", "(squared < samples_first)"),
        ("inside = squared <= real_second[rows, None]", "inside = squared < real_second[rows, None]"),
        ("start + np.arange(len(squared))] = np.inf", "start + np.arange(len(squared))] = 0.0"),
        ("squared[squared < norms] = 0.0", "pass"),
        ("data_covered[rows] = inside.any(axis=1)", "data_covered[rows] = inside.all(axis=1)"),
    ),
    *_of(
        "export/metrics/toy.py",
        f"{METRICS}/test_toy.py",
        ("max(1, math.ceil(min_share", "max(1, math.floor(min_share"),
        ("max(1, math.ceil(min_share", "max(0, math.ceil(min_share"),
        ("nearest] <= radius[nearest]", "nearest] < radius[nearest]"),
        ("self.counts >= self.min_count", "self.counts > self.min_count"),
        ("cost[rows, columns].mean() ** (1.0 / p)", "cost[rows, columns].mean()"),
        ("(gaps @ widths).mean() ** (1.0 / p)", "(gaps @ widths).mean()"),
        ("directions /= np.linalg.norm(directions, axis=0)", "pass"),
        ("distances.argmin(axis=1)", "distances.argmax(axis=1)"),
    ),
    *_of(
        "export/metrics/classifier_score.py",
        f"{METRICS}/test_classifier_score.py",
        ("scipy.special.entr(marginal).sum() - ", "scipy.special.entr(marginal).sum() + "),
        ("math.exp(mutual_information(part))", "mutual_information(part)"),
        ("self.split_scores.std(ddof=1)", "self.split_scores.std()"),
        (
            "rel_entr(histogram / histogram.sum(), reference / reference.sum())",
            "rel_entr(reference / reference.sum(), histogram / histogram.sum())",
        ),
    ),
    *_of(
        "export/metrics/neural_net_distance.py",
        f"{METRICS}/test_neural_net_distance.py",
        ("nothing = 2.0 * ", "nothing = "),
        ("value = measure(of_x).mean() + measure(-of_y).mean()", "value = measure(of_x).mean() + measure(of_y).mean()"),
        ("reached.append(max(0.0, -float(found.fun)))", "reached.append(-float(found.fun))"),
        ("if best is None or found.fun < best.fun:", "if best is None:"),
        ("max(reached), critics.name", "min(reached), critics.name"),
        ("np.random.default_rng((seed, index))", "np.random.default_rng(seed)"),
        ("return self.value - self.payoff(x, y)", "return self.value + self.payoff(x, y)"),
        ("lambda s: expit(s) * expit(-s)", "lambda s: expit(s)"),
        ("(1.0 - inputs[position] ** 2)", "(1.0 - inputs[position])"),
        ("(points - mean) / np.where", "points / np.where"),
        (
            "of_x, of_y = critics.scores(best.x, seen(x))[0], critics.scores(best.x, seen(y))[0]",
            "of_x, of_y = critics.scores(best.x, x)[0], critics.scores(best.x, y)[0]",
        ),
        ("(2.0 / sum(s)) ** 0.5", "(2.0 / sum(s))"),
    ),
    *_of(
        "export/metrics/small_cnn.py",
        f"{METRICS}/test_small_cnn.py",
        ("images * np.float32(1 / 127.5) - np.float32(1.0)", "images * np.float32(1 / 127.5)"),
        ("np.rint((np.asarray(images, np.float32) + 1.0) * 127.5)", "(np.asarray(images, np.float32) + 1.0) * 127.5"),
        ("np.random.default_rng((self.seed, self.epoch))", "np.random.default_rng()"),
        ("HeNormal(seed=next(seeds))", "HeNormal()"),
    ),
]

MUTANTS = [*_IN_OBJECTIVES, *_IN_GAN, *_IN_DYNAMICS, *_IN_TECHNIQUES, *_IN_RUNS, *_IN_METRICS]
