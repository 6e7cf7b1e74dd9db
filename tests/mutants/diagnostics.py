"""Mistakes in the diagnostics of how a generator fails, in their figures, and in what a report says of them."""

from mutants.mutant import of_file

TESTS = "tests/export/diagnostics"
CONVERGENCE = f"{TESTS}/test_convergence.py"
VANISHING = f"{TESTS}/test_vanishing_gradients.py"
GENERALIZATION = f"{TESTS}/test_generalization.py"
SAMPLES = f"{TESTS}/test_calibration.py {TESTS}/test_mode_collapse.py -k 'mode_collapse or samples or chance'"
FIGURES = "tests/export/report/test_figures.py"
SECTION = "tests/export/report/test_writer.py -k section"

MUTANTS = [
    *of_file(
        "export/diagnostics/convergence.py",
        f"{CONVERGENCE} -k 'bilinear or linear_gan or products or arnoldi or krylov or invariant or path or residuals'",
        ("jacobian = -field.jacobian()", "jacobian = field.jacobian()"),
        ("lambda vector: -field.transposed_product(vector)", "field.transposed_product"),
        ("tf.reduce_sum(field() * vector)", "tf.reduce_sum(field())"),
        ("[*of_critic, *of_generator]", "[*of_generator, *of_critic]"),
        ("hessenberg[row, column] += overlap", "hessenberg[row, column] = overlap"),
        ("vector = vector - overlap * known", "vector = vector - known"),
        ("hessenberg[done, done - 1] * np.abs(vectors[-1])", "np.abs(vectors[-1])"),
        ("hessenberg[done, done - 1] * np.abs(vectors[-1])", "hessenberg[done, done - 1] * np.abs(vectors[0])"),
        ("if left <= 1e-12 * size:", "if False:"),
        ("value = -field()", "value = field()"),
        ("(norms[-1] * length)", "norms[-1]"),
        ("        field.assign(newest)\n    return", "        pass\n    return"),
        ("np.abs(leading.imag) / np.abs(leading.real)", "np.abs(leading.imag) / np.abs(leading)"),
        ("return float(self.eigenvalues.real.max())", "return float(np.abs(self.eigenvalues.real).max())"),
    ),
    *of_file(
        "export/diagnostics/convergence.py",
        f"{CONVERGENCE} -k 'verdicts or not_finite or ratio'",
        ("growth > thresholds.GROWTH * radius", "growth > thresholds.GROWTH"),
        ("thresholds.LEADING * self.radius", "0.0"),
        ("elif rotation > thresholds.ROTATION:", "elif False:"),
        ("if not np.isfinite(jacobian).all():", "if False:"),
        ("if not np.isfinite(vector).all():", "if False:"),
    ),
    *of_file(
        "export/diagnostics/convergence.py",
        f"{CONVERGENCE} -k alone",
        ("            with keras.StatelessScope():\n", "            if True:\n"),
    ),
    *of_file(
        "export/diagnostics/game.py",
        f"{TESTS}/test_game.py",
        ("_FIRST_DRAW + draw", "draw"),
        ("mine.assign(theirs)", "pass"),
        ("checkpoints.steps()), None)", "checkpoints.steps()[::-1]), None)"),
    ),
    *of_file(
        "export/diagnostics/vanishing_gradients.py",
        f"{VANISHING} -k 'own_critic or variance or ties or certain or apart'",
        (
            "-tf.reduce_mean(tf.nn.softplus(scores))",
            "tf.reduce_mean(tf.nn.softplus(scores))",
            "only the gradient's norm and variance are told",
        ),
        ("tf.reduce_mean(tf.nn.softplus(-scores))", "tf.reduce_mean(tf.nn.softplus(scores))"),
        ("(less + most).mean() / (2 * len(below))", "less.mean() / len(below)"),
        ("float(total @ total) / batches) / (batches - 1)", "float(total @ total) / batches) / batches"),
        ("float(np.mean(norms[name]))", "float(np.linalg.norm(total) / batches)"),
        ("-score(critic, real)) + tf.nn.softplus(score(critic, fake))", "-score(critic, real))"),
        ("((real > 0).mean() + (fake < 0).mean()) / 2", "(real > 0).mean()"),
        ("keras.utils.set_random_seed(_SEED)", "pass"),
        ("np.sqrt(weights)", "weights"),
        ("fresh_critic(game.model.critic)", "game.model.critic"),
    ),
    *of_file(
        "export/diagnostics/vanishing_gradients.py",
        f"{VANISHING} -k 'verdicts or adam or apply or run'",
        ("flat or (separated and share < thresholds.VANISHED)", "flat or share < thresholds.VANISHED"),
        ("elif separated and share < thresholds.VANISHING:", "elif False:"),
        ('flat = own["gradient_rms"] < thresholds.ADAM_EPSILON', "flat = False"),
        ("max(norms) / norms[-1]", "norms[-1] / max(norms)"),
        ("    check_scores(run)\n", ""),
        ("            with keras.StatelessScope():  # A look", "            if True:  # A look", "a game is a copy"),
    ),
    *of_file(
        "export/diagnostics/generalization.py",
        GENERALIZATION,
        ("1.0 - scale * share.value", "1.0 - 2.0 * share.value"),
        ("for end in (share.high, share.low)", "for end in (share.low, share.high)"),
        ("len(samples) ** 2 / (shared**2).sum()", "len(samples)"),
        ("0.5 * (to_held_out == to_training)", "1.0 * (to_held_out == to_training)"),
        ("(squares - 2.0 * (part @ real.T))", "(squares - (part @ real.T))"),
        ("if not quick and count > len(training):", "if False:"),
        ('game.batches("train", steps, _SEED + index)', 'game.batches("test", steps, _SEED + index)'),
        ("if found[-1] > best_gain:", "if True:"),
        ('if name == "critic":', 'if name == "generator":'),
        ("gains[0] + gains[1]", "gains[0] - gains[1]"),
        ("np.sign(apart or 1.0)", "1.0"),
        ('means["train"] - means["test"])', 'means["train"] - means["samples"])'),
        ('if known["separation"] < thresholds.SEPARATES:', "if False:"),
    ),
    *of_file(
        "export/diagnostics/mode_collapse.py",
        SAMPLES,
        ("unlike = blurred or noisy or", "unlike ="),
        (
            "np.median(np.where(others, distances, np.inf).min(1))",
            "np.median(np.where(others, distances, np.inf).max(1))",
        ),
        ("spread < thresholds.SAME or repeats < thresholds.REPEATED", "repeats < thresholds.REPEATED"),
        ("spread < thresholds.SAME or repeats < thresholds.REPEATED", "spread < thresholds.SAME"),
        ("beside = unlike or", "beside = unlike and"),
        ("and not unlike)", ")"),
        ('"severe" if max(reached)', '"severe" if min(reached)'),
        ("and spread >= thresholds.SAME:", ":"),
        ("< thresholds.BLURRED_POINTS and", "< 0.0 and"),
        ('of_classes if counts else "none"', "of_classes"),
        (
            "findings.sort(key=lambda finding: finding[0] != level)\n    return section(level, _OPENING[level], [part",
            "return section(level, _OPENING[level], [part",
        ),
        ("> thresholds.NO_CHANCE * math", "> 1.5 * math"),
        ('ratio[entry["name"]] > thresholds.SWOLLEN', "False"),
    ),
    *of_file(
        "export/report/figures.py",
        FIGURES,
        ('100 * (1 - np.array(curves["critic_accuracy"], float))', '100 * np.array(curves["critic_accuracy"], float)'),
        ("np.where(values > 0, values, np.nan)", "values"),
        ("grows = real > 0", "grows = imaginary > 0"),
        ("np.abs(values).max() or largest", "np.abs(values).max()"),
    ),
    *of_file(
        "export/report/writer.py",
        SECTION,
        ("    pictures |= figures.of_sections(evaluation.sections)\n", ""),
        ('        if "try_next" in section:\n', "        if False:\n"),
    ),
    *of_file(
        "export/diagnostics/section.py",
        f"{CONVERGENCE} {VANISHING} -k 'verdicts or ratio'",
        ('if try_next and level != "none":', "if try_next:"),
        ("float(value) if math.isfinite(value) else None", "float(value)"),
    ),
]
