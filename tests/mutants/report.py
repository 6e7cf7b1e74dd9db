"""Mistakes in evaluations and in the report's pages."""

from mutants.mutant import of_file

PAGES = "tests/export/report/test_writer.py -k pages"
EVALUATION = "tests/export/evaluation"
AGREEMENT = f"{EVALUATION}/test_label_agreement.py"
LABELS = "tests/export/report -k 'label or agreement or rows'"
CARD = "tests/export/test_model_card.py"
GRIDS = "tests/zoo/test_grids.py"
TRAINING = "tests/trainers/test_conditional.py -k 'pictures or plots'"

MUTANTS = [
    *of_file(
        "export/report/report.html.jinja", PAGES, (" {{ kind.caveat }}", ""), ("{% if intervals %}", "{% if true %}")
    ),
    *of_file("export/report/report.md.jinja", PAGES, (" {{ kind.caveat }}", ""), ("{{ tried }}", "")),
    *of_file(
        "export/report/pages.py",
        PAGES,
        ('if metric["interval"]:', "if True:"),
        ('metric.get("caveat")), []', "None), []"),
    ),
    *of_file("export/evaluation/metric.py", PAGES, ("if interval.caveat:", "if False:")),
    *of_file("export/metrics/intervals.py", PAGES, ("caveat=_DISCREPANCY_CAVEAT", "caveat=None")),
    *of_file("export/metrics/kernel.py", PAGES, ("return dataclasses.replace(found, caveat=_CAVEAT)", "return found")),
    *of_file("export/metrics/precision_recall.py", PAGES, ("caveat=_SHARE_CAVEAT", "caveat=None")),
    *of_file(
        "export/evaluation/context.py",
        f"{EVALUATION}/test_context.py",
        ("if key not in self._results:", "if True:"),
        ("key = function, id(sample)", "key = function"),
        ("np.arange(self.num_samples) + self.first_seed", "np.arange(self.num_samples)"),
        ("self._untrained = untrained", "self._untrained = generator"),
        ("self.data.spec.display_names", "self.data.class_names or ()"),
    ),
    *of_file(
        "export/evaluation/metric.py",
        f"{EVALUATION}/test_context.py",
        (" if metric.needs(context)}", "}"),
        (
            "return self.value(context, context.training) if self.of_real",
            "return self.interval(context, context.training).value if self.of_real",
        ),
    ),
    *of_file(
        "export/evaluation/evaluator.py",
        f"{EVALUATION}/test_evaluator.py -k 'more_points or too_few or broke_down'",
        ("num_samples > _MOST_POINTS", "num_samples > 10 * _MOST_POINTS"),
        ("count = count_samples(data, num_samples, generator)  # before", "count = num_samples  # before"),
        ("if not np.isfinite(probe.astype(np.float64)).all():", "if False:"),
    ),
    *of_file(
        "export/evaluation/label_agreement.py",
        AGREEMENT,
        ("return context.generator.labels is not None", "return True"),
        ("lambda context: told_labels(context) and needs(context)", "told_labels"),
        ("counts=samples_alone", "counts=lambda context: (context.num_samples, context.num_samples)"),
        ("(context.samples, context.training)", "(context.samples, context.held_out)"),
        ("agrees = agrees[labels == label]", "agrees = agrees[seen(context, examples) == label]"),
        ('entry["agreement"] < _FEW', 'entry["agreement"] <= _FEW'),
        ('poor.sort(key=lambda entry: entry["agreement"])', "pass"),
        ("_MOST_NAMED = 4", "_MOST_NAMED = 5"),
        ("{len(poor)} of {len(classes)}", "{len(poor)} of {len(poor)}"),
    ),
    *of_file(
        "export/metrics/real_features.py",
        AGREEMENT,
        ("labels.extend(label.numpy()[: count - first]", "labels.extend(label.numpy()[::-1][: count - first]"),
    ),
    *of_file(
        "export/evaluation/context.py",
        AGREEMENT,
        ("generator.labels(self.seeds)", "generator.labels(np.arange(self.num_samples))"),
        (
            "self._labels[id(examples)] = labels",
            "self._labels.setdefault(0, labels)\n        self._labels[id(examples)] = self._labels[0]",
        ),
        (
            "grids.class_rows(np.unique(self.labels(self.samples)), self.first_seed)",
            "grids.class_rows(np.unique(self.labels(self.samples)))",
        ),
        ("for label in np.unique(labels).tolist()}", "for label in range(8)}"),
        ("self.labels(self.samples)[:_SHOWN_POINTS]", "np.sort(self.labels(self.samples))[:_SHOWN_POINTS]"),
    ),
    *of_file(
        "export/evaluation/image_metrics.py",
        AGREEMENT,
        (
            "(predicted(context, context.held_out) == context.labels(context.held_out))",
            "(predicted(context, context.samples) == context.labels(context.samples))",
        ),
        ("    label_agreement.metric(_about_label_agreement, predicted, has_classes),\n", ""),
    ),
    *of_file(
        "export/evaluation/class_balance.py",
        AGREEMENT,
        ("if not label_agreement.told_labels(context):", "if True:"),
        ("seen, label) for label, entry in enumerate(entries)]", "seen, 0) for entry in entries]"),
    ),
    *of_file(
        "export/evaluation/evaluator.py",
        AGREEMENT,
        (", *label_agreement.notes(classes, classes_of)]", "]"),
    ),
    *of_file(
        "export/evaluation/subject.py",
        f"{EVALUATION}/test_subject.py",
        ("if generator.labels is not None:", "if False:"),
    ),
    *of_file(
        "export/report/pictures.py",
        LABELS,
        ("image_grid(samples, names=names)", "image_grid(samples)"),
        ("point_plot(samples, reference, labels=labels)", "point_plot(samples, reference, labels=None)"),
        ("[len(examples) for examples in by_class.values()]", "len(names)"),
    ),
    *of_file(
        "export/report/pages.py",
        LABELS,
        ('    "label_agreement",\n', ""),
        ("num_classes <= grids.MOST_ROWS", "num_classes < grids.MOST_ROWS"),
        ('if generator.get("told_labels") and not given:', "if False:"),
        ('"Conditional " if generator.get("told_labels") else ""', '"Conditional "'),
        ('if not generator.get("objective"):', "if False:"),
        ('"—" if share is None else', '"0.0 %" if share is None else'),
    ),
    *of_file(
        "export/report/figures.py",
        LABELS,
        (
            'keys = ("agreement", "agreement_interval", "real_agreement")',
            'keys = ("agreement", "agreement_interval", "agreement")',
        ),
        ("if top > 100:", "if False:"),
    ),
    *of_file(
        "export/report/report.html.jinja",
        LABELS,
        ('"" if report.generator.told_labels is defined or', '"" if true or'),
        ('{% if "agreement" in pictures %}', "{% if false %}"),
    ),
    *of_file(
        "export/report/report.md.jinja",
        LABELS,
        ('{% if "agreement" in pictures %}', "{% if false %}"),
        ("{{ entry.real_agreement | percent }}", "{{ entry.agreement | percent }}"),
    ),
    *of_file(
        "export/model_card.md.jinja",
        CARD,
        ('{% if "sample_with_labels" in card.signatures %}\n| labels', '{% if "num_classes" in card %}\n| labels'),
        ("{{ card.num_classes - 1 }}", "{{ card.num_classes }}"),
        ("{{ loop.index0 }}", "{{ loop.index }}"),
        ("{{ name | e }}", "{{ name }}"),
        ("labels = tf.fill([64], tf.constant(0, tf.int64))", "labels = tf.fill([64], 0)"),
    ),
    *of_file(
        "zoo/grids.py",
        GRIDS,
        ("np.tile(first_seed + np.arange(_COLUMNS), len(labels))", "np.tile(np.arange(_COLUMNS), len(labels))"),
        ("np.repeat(labels, _COLUMNS)", "np.tile(labels, _COLUMNS)"),
        ("np.asarray(labels, np.int64)[:MOST_ROWS]", "np.asarray(labels, np.int64)"),
        ("columns = count // len(names)", "columns = len(names)"),
        ("middle = row * (height + _GAP) + height / 2", "middle = row * height + height / 2"),
        ('"black", font, anchor="rm"', '"black", font'),
        ("textwrap.wrap(name, _MOST_LETTERS,", "textwrap.wrap(name, 1000,"),
        ("max_lines=most,", "max_lines=1,"),
        ('[f"C{label % 10}" for label in labels]', '[f"C{label % 8}" for label in labels]'),
    ),
    *of_file(
        "trainers/callbacks.py",
        TRAINING,
        ("self.model.sample(seeds, label=labels)", "self.model.sample(seeds)"),
        ("self.spec.display_names[: grids.MOST_ROWS]", "None"),
        (
            "names=self.spec.display_names[: grids.MOST_ROWS])\n            shown = images[seeds == seeds[0]]",
            "names=self.spec.display_names[: grids.MOST_ROWS])\n            shown = images[: grids.MOST_ROWS]",
        ),
        (
            "sampler.labels(self.model.latents(range(1024))).numpy()",
            "sampler.labels(self.model.latents(range(1, 1025))).numpy()",
        ),
    ),
]
