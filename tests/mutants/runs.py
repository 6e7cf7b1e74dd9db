"""Mistakes in building and training a run."""

from mutants.mutant import of_file

PENALTIES = "tests/trainers/techniques/test_penalties.py"
COMPOSE = "tests/trainers/techniques/test_techniques_compose.py"
CONTRASTIVE = "tests/trainers/objectives/test_noise_contrastive.py"
CHECKS = "tests/trainers/test_config_checks.py"
DEFAULTS = "tests/trainers/test_defaults.py"
EVERY = "tests/trainers/test_every_objective.py"
FORMER = "tests/trainers/test_former.py"
MIXTURE = "tests/trainers/test_mixture.py"
TRAINING = "tests/trainers/test_training.py"
CHECKPOINTS = "tests/trainers/test_checkpoints.py"
RUNS = "tests/trainers/test_runs.py"

MUTANTS = [
    *of_file(
        "trainers/schedules.py",
        f"{RUNS} -k rate",
        ("self.end - tf.cast(step, tf.float32)", "self.start - tf.cast(step, tf.float32)"),
        ("max(self.end - self.start, 1)", "max(self.end, 1)"),
        ("tf.clip_by_value(left, 0.0, 1.0)", "left"),
    ),
    *of_file(
        "trainers/checkpoints.py",
        CHECKPOINTS,
        ("self.steps()[: -self.keep]", "self.steps()[: -self.keep - 1]"),
        ("in reversed(steps)", "in steps"),
        ("if later > step:", "if later >= step:"),
        ("status.assert_existing_objects_matched()", "status"),
    ),
    *of_file(
        "trainers/training.py",
        f"{TRAINING} -k everything",
        ('"start_batch": first_step * k', '"start_batch": first_step'),
        ("model.last_step.assign(settings.steps)", "pass"),
    ),
    *of_file(
        "trainers/training.py",
        f"{TRAINING} -k rollback_goes",
        ("1_000_003 * int(run.model.rollbacks.numpy())", "0"),
        ("model.rollbacks.assign(count)", "pass"),
    ),
    *of_file(
        "trainers/training.py",
        f"{TRAINING} -k 'gives_up or counts_anew'",
        ("rollbacks = 1 if failure.step > failed_at else rollbacks + 1", "rollbacks = rollbacks + 1"),
        ("rollbacks > _MOST_ROLLBACKS", "rollbacks > 2"),
    ),
    *of_file(
        "trainers/training.py", f"{CHECKPOINTS} -k goes_on_from", ("checkpoints.drop_after(restored or 0)", "pass")
    ),
    *of_file(
        "trainers/callbacks.py",
        f"{TRAINING} -k nonfinite_step",
        (
            "for player in self.model.players\n            for what",
            "for player in reversed(self.model.players)\n            for what",
        ),
        ('("loss", "gradient_norm")', '("gradient_norm", "loss")'),
    ),
    *of_file(
        "trainers/callbacks.py",
        f"{EVERY} -k 'is_watched and noise_contrastive'",
        ("[*told, *sorted(logs.keys() - told.keys())]", "told"),
        ("told.get(key, key)", "key"),
    ),
    *of_file(
        "trainers/callbacks.py",
        f"{TRAINING} -k explains",
        ("if step // self.every > self._passed:", "if step // self.every >= self._passed:"),
    ),
    *of_file(
        "trainers/metrics_log.py",
        "tests/trainers/test_metrics_log.py",
        ('if row["step"] <= step', 'if row["step"] < step'),
    ),
    *of_file(
        "trainers/callbacks.py",
        f"{TRAINING} -k everything",
        ("self._passed = int(self.model.step.numpy()) // self.every", "self._passed = 0"),
    ),
    *of_file(
        "trainers/resolve.py",
        f"{RUNS} {PENALTIES} -k 'automatic or normalisation_is'",
        ('resolved["normalization"] = "layer"', 'resolved["normalization"] = "batch"'),
        ('resolved["normalization"] = objective.critic_normalization or resolved["normalization"]', "pass"),
    ),
    *of_file(
        "trainers/build.py",
        f"{RUNS} {PENALTIES} -k 'rates or the_seed or automatic'",
        ("keras.utils.set_random_seed(config.seed)", "keras.utils.set_random_seed(0)"),
        ("int(config.train.decay_from * updates)", "0"),
        ('steps["critic"] *= model.batches_per_step', "pass"),
        ('_optimizer", config.train.decay_from < 1', '_optimizer", config.train.decay_from < 0'),
    ),
    *of_file(
        "trainers/resolve.py",
        f"{CHECKS} {DEFAULTS} {RUNS} -k 'paper or completed or objective_lacks'",
        ("dict(objective.default_dynamics_options)", "{}"),
        ("dynamics_options.items() if value is not None}", "dynamics_options.items()}"),
        ("{**default, **given, ", "{**given, **default, "),
        ('given if given.get("name") else', "given if given else"),
        ('given if given.get("name") else', ""),
        ("config[key].items() if value is not None}", "config[key].items()}"),
        ('for player in ("generator", "critic"):', "for player in objective.optimized:"),
        ("        if player in objective.optimized:\n", "        if True:\n"),
        ('    optimizers.check(complete, f"config.{key}")\n', ""),
        ("config.copy_and_resolve_references(), objectives", "config, objectives"),
    ),
    *of_file(
        "trainers/workdir.py",
        f"{RUNS} -k 'names_what_differs or leaves_to_the_paper or cannot_be_completed'",
        ("suppress(AttributeError, ", "suppress("),
        ("AttributeError, KeyError, TypeError", "AttributeError, TypeError"),
        ("KeyError, TypeError, ValueError):", "KeyError, ValueError):"),
        ("KeyError, TypeError, ValueError):", "KeyError, TypeError):"),
    ),
    *of_file(
        "trainers/workdir.py",
        f"{TRAINING} -k without_an_option",
        ('options.get("name", key) == "instance_noise"', 'key == "instance_noise"'),
    ),
    *of_file(
        "trainers/build.py",
        f"{CONTRASTIVE} -k need_a_critic",
        ("    for trait in play.needs:\n", "    for trait in ():\n"),
        ("    if play.batches_per_step > 1:\n", "    if False:\n"),
        ("    if used:\n", "    if False:\n"),
    ),
    *of_file(
        "trainers/build.py",
        f"{MIXTURE} -k 'composes and minimax'",
        ('parts["entropy_weight"] = config.mixture.entropy_weight', "pass"),
    ),
    *of_file(
        "trainers/former.py",
        FORMER,
        ("if version > SCHEMA_VERSION:", "if False:"),
        ("    config = copy.deepcopy(config)\n", ""),
        ("    if version == 1:", "    if version >= 1:"),
        ('if noise.get("std"):', "if noise:"),
        ("    if bound:\n", "    if True:\n"),
        ('{"weight": None, **penalty}', "{**penalty}"),
        ("        if techniques[name]:\n", "        if False:\n"),
        ('config["techniques"] = techniques', "pass"),
        ('    config.setdefault("mixture", ', '    dict().setdefault("mixture", '),
    ),
    *of_file(
        "trainers/workdir.py",
        FORMER,
        ('former.upgrade(text["config"], text.get("schema_version", 1))', 'text["config"]'),
        ('text.get("schema_version", 1)', "1"),
        ('"schema_version": former.SCHEMA_VERSION', '"schema_version": 1'),
        ("json.loads(resolve(ml_collections.ConfigDict(held)).to_json_best_effort())", "held"),
    ),
    *of_file(
        "trainers/checkpoints.py",
        FORMER,
        ("tf.train.Checkpoint(gan=tf.train.Checkpoint(**model.state()))", "tf.train.Checkpoint(**model.state())"),
    ),
    *of_file(
        "trainers/workdir.py",
        f"{RUNS} -k 'may_change or taken_may_not or without_their or names_what_differs'",
        ("    if config.train.decay_from < 1:", "    if config.train.decay_from < 0:"),
        ("config.train.steps < steps[-1]", "config.train.steps < steps[0]"),
        ('    elif checkpoint_steps(workdir / "checkpoints"):', "    elif True:"),
        ("if key not in _MAY_CHANGE:", "if False:"),
    ),
    *of_file(
        "trainers/training.py",
        f"{TRAINING} -k being_trained_in",
        ("with lock.held(run.workdir) if writes else", "with"),
    ),
    *of_file(
        "trainers/build.py",
        f"{COMPOSE} -k reference_batch_is",
        ('data.arrays("train", layers.REFERENCE_SIZE)', 'data.arrays("test", layers.REFERENCE_SIZE)'),
    ),
    *of_file(
        "trainers/config.py",
        f"tests/trainers/test_config_checks.py {RUNS} -k 'replica or out_of_range'",
        ("if batch_size % replicas:", "if batch_size < replicas:"),
        ('"train.ema_decay": number(0, below=1)', '"train.ema_decay": number(0, most=1)'),
    ),
]
