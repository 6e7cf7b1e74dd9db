"""The log-likelihood in the report of a Boltzmann machine's run, and in no other."""

import types

import numpy as np
import pytest

import zoo
from export.evaluation import image_metrics
from export.metrics.annealed_importance import log_likelihood_interval
from trainers import objectives
from zoo import datasets


def test_a_boltzmann_machines_run_is_measured_on_test_images_with_its_averaged_weights():
    (row,) = [row for row in image_metrics.METRICS if row.name == "log_likelihood"]
    data, model = datasets.load("digits"), objectives.METHODS.load("rbm")(zoo.RBM((8, 8, 1), hidden_units=2))
    biases = np.linspace(-3, 1, 64)
    model.averaged_generator.visible_bias.assign(biases)
    model.averaged_generator.coupling.assign(np.zeros([64, 2]))
    context = types.SimpleNamespace(
        run=types.SimpleNamespace(model=model), data=data, num_samples=50, samples=None, untrained=None
    )
    assert row.needs(context)
    found = row.measure(context)
    # Without coupling log Z is exact, and pixels are independent.
    interval = log_likelihood_interval(model.averaged_generator, data.arrays("test", 50)[0])
    assert (found["value"], found["interval"]) == (interval.value, [interval.low, interval.high])
    shares = 0.5 * (data.arrays("test", 50)[0].reshape(50, 64).mean(axis=0) + 1)
    assert found["value"] == pytest.approx((shares * biases - np.log1p(np.exp(biases))).sum(), abs=1.5)
    assert (found["num_samples"], found["num_reference"], found["better"]) == (0, 50, "higher")
    assert "real" not in found


@pytest.mark.parametrize("run", [None, types.SimpleNamespace(model=types.SimpleNamespace())])
def test_other_generators_have_none(run):
    (row,) = [row for row in image_metrics.METRICS if row.name == "log_likelihood"]
    assert not row.needs(types.SimpleNamespace(run=run))
