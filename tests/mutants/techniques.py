"""Mistakes in the techniques, the penalties and the mixture."""

from mutants.mutant import of_file

OF_OBJECTIVES = "tests/trainers/objectives"
OBJECTIVES = "tests/trainers/test_objectives.py"
DEFAULTS = "tests/trainers/test_defaults.py"
MODES = "tests/trainers/test_training_mode.py"
PENALTIES = "tests/trainers/techniques/test_penalties.py"
NOISE = "tests/trainers/techniques/test_instance_noise.py"
COMPOSE = "tests/trainers/techniques/test_techniques_compose.py"
TIGHTER = f"{COMPOSE} -k tighter"
MIXTURE = "tests/trainers/test_mixture.py"

MUTANTS = [
    *of_file(
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
    *of_file(
        "trainers/penalties.py", TIGHTER, ("tf.clip_by_value(variable, -bound, bound)", "tf.minimum(variable, bound)")
    ),
    *of_file("trainers/penalties.py", f"{MODES} -k wasserstein_gp", ("critic(x, training=True)", "critic(x)")),
    *of_file(
        "trainers/gan.py", f"{COMPOSE} -k reference", ("            check_reference(critic)\n", "            pass\n")
    ),
    *of_file(
        "zoo/layers.py",
        f"{COMPOSE} -k reference",
        ("if any(layer.has_initial_reference()", "if not all(layer.has_initial_reference()"),
    ),
    *of_file(
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
    *of_file(
        "trainers/replicas.py",
        f"{OF_OBJECTIVES}/test_feature_matching.py {OF_OBJECTIVES}/test_energy_based.py -k replicas",
        ("all_reduce(tf.distribute.ReduceOp.MEAN, mean)", "all_reduce(tf.distribute.ReduceOp.SUM, mean)"),
        ("if replica_count() == 1:", "if True:"),
    ),
    *of_file(
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
    *of_file(
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
    *of_file(
        "trainers/mixture.py", f"{MODES} -k mixture", ("[self.latent_dim]), training=True)", "[self.latent_dim]))")
    ),
]
