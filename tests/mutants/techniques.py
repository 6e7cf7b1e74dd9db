"""Mistakes in the techniques, the penalties and MIX+GAN."""

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
MODEL = "tests/trainers/test_model.py"

MUTANTS = [
    *of_file(
        "trainers/penalties.py",
        f"{OBJECTIVES} {PENALTIES} -k 'penalty or flat or they'",
        ("* (fake.x - real.x))", "* fake.x)"),
        ("[1] * (real.x.shape.rank - 1)", "real.x.shape[1:]"),
        ('"real": lambda real, fake, noise: [real]', '"real": lambda real, fake, noise: [fake]'),
        ("[perturbed(real, noise)]", "[perturbed(fake, noise)]"),
        ("[real, fake]", "[real]"),
        ("[real, fake]", "[fake, fake]"),
        ("x + share * spread * deviation * steps", "x + spread * deviation * steps"),
        ("tf.square(x - mean)", "tf.square(x)"),
        ("gradient_norms(critic, batch) - target", "gradient_norms(critic, batch)"),
        ("0.5 * tf.reduce_mean(squared_gradient_norms", "tf.reduce_mean(squared_gradient_norms"),
        ("tf.where(flat, tf.ones_like(squares), squares)", "squares"),
        ("spread=0.5", "spread=1.0"),
        ("target=1.0", "target=0.0"),
    ),
    *of_file(
        "trainers/techniques/weight_clipping.py",
        TIGHTER,
        ("tf.clip_by_value(value, -self.bound, self.bound)", "tf.minimum(value, self.bound)"),
    ),
    *of_file(
        "trainers/penalties.py",
        f"{MODES} -k wasserstein_gp",
        ("scores = score(critic, batch)", "scores = critic(batch.x)"),
    ),
    *of_file(
        "trainers/gan.py",
        f"{COMPOSE} -k reference",
        ("                check_reference(network)\n", "                pass\n"),
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
        ("mean = batch_mean(tf.reduce_mean(x, axes))", "mean = tf.reduce_mean(x)"),
    ),
    *of_file(
        "zoo/replicas.py",
        f"{OF_OBJECTIVES}/test_feature_matching.py {OF_OBJECTIVES}/test_energy_based.py -k replicas",
        ("return mean_over_replicas(tf.reduce_mean(x, axis=0))", "return tf.reduce_mean(x, axis=0)"),
        (
            "if replica_count() == 1:\n        return values\n",
            "if True:\n        return values\n",
        ),
    ),
    *of_file(
        "zoo/replicas.py",
        f"{COMPOSE} -k 'two_replicas and minibatch'",
        ("if replica_count() == 1:\n        return x\n", "if True:\n        return x\n"),
    ),
    *of_file(
        "trainers/techniques/instance_noise.py",
        f"{NOISE} {DEFAULTS}",
        ("left = 1.0 - tf.cast(step", "left = 1.0 + tf.cast(step"),
        ("tf.maximum(left, 0.0)", "left"),
        ('f"instance noise {kind}"', '"instance noise real"'),
        ("x + self.std * ", "x - self.std * "),
        ('int(options["until"] * steps)', "steps"),
        ("number(above=0, most=1)", "number(above=0)"),
        ("number(above=0, most=1)", "number(0, most=1)"),
        ("max(self.until, 1)", "self.until"),
        ("std = Option(0.1,", "std = Option(1.0,"),
        ("Option(0.5, number(above=0", "Option(1.0, number(above=0"),
    ),
    *of_file(
        "trainers/techniques/gradient_norm.py",
        f"{PENALTIES} {DEFAULTS}",
        ("gradient_norm_penalty(critic, batch, self.target)", "gradient_norm_penalty(critic, batch)"),
        ("target = Option(1.0,", "target = Option(0.0,"),
    ),
    *of_file("trainers/techniques/zero_centred.py", DEFAULTS, ('at = Option("real",', 'at = Option("fake",')),
    *of_file("trainers/techniques/weight_clipping.py", DEFAULTS, ("bound = Option(0.01,", "bound = Option(0.1,")),
    *of_file(
        "trainers/techniques/base.py",
        f"{PENALTIES} {DEFAULTS}",
        ("return self.weight * tf.add_n", "return tf.add_n"),
        ('at = Option("interpolates",', 'at = Option("real",'),
        ("weight = Option(10.0,", "weight = Option(1.0,"),
        ("every = Option(1,", "every = Option(2,"),
        ("Option(10.0, number(0))", "Option(10.0, number(-1))"),
        ("penalises_gradients = True", "penalises_gradients = False"),
        ("one_of(*PLACES)", "TEXT"),
        ("whole(1)", "whole(0)"),
        ("step % self.every == 0", "step % self.every == 1"),
        ("step % self.every == 0", "step // self.every == 0"),
        ("self.every * penalty()", "penalty()"),
    ),
    *of_file(
        "trainers/techniques/base.py",
        f"{COMPOSE} -k 'two_replicas and lazy'",
        (
            "for place in places",
            "for place in penalties.PLACES[self.at](real, fake, noise)",
        ),
    ),
    *of_file(
        "trainers/techniques/__init__.py",
        f"{PENALTIES} {DEFAULTS} -k 'wrong_options or is_off or with_the_part or techniques'",
        ("        if options:\n            known", "        if True:\n            known"),
        ("        if options:\n            found", "        if True:\n            found"),
        ('options.pop("name", key)\n        METHODS', 'options.pop("name", key) and key\n        METHODS'),
        ('options.pop("name", key)\n        if', 'options.pop("name", key) and key\n        if'),
        ('        OPTIONS.check(entry, f"{where}.{key}")\n', ""),
        ('f"{where}.{key}.name" if "name" in entry else f"{where}.{key}"', 'f"{where}.{key}"'),
    ),
    *of_file(
        "trainers/gan.py",
        PENALTIES,
        ('"normalization", None) == "batch"', '"normalization", None) == "layer"'),
        ("if not gan.penalises_gradients and not penalties:", "if not gan.penalises_gradients:"),
        ('getattr(gan.critic, "minibatch_discrimination", 0)', "0"),
    ),
    *of_file(
        "trainers/penalties.py",
        MODEL,
        ("return real._replace(x=real.x + ", "return Batch(real.x + "),
        ("return real._replace(x=x + share", "return Batch(x + share"),
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
    *of_file("trainers/mixture.py", f"{MODES} -k mixture", ("each(latents, training=True, ", "each(latents, ")),
]
