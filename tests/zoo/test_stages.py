"""Networks in stages: the branch that a level chooses."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.progressive import ProgressiveCritic
from zoo.stages import at_stage


@pytest.mark.parametrize("stages", [0, 1, 2, 3, 8])
def test_a_level_chooses_the_branch_of_its_stage(stages):
    @tf.function
    def chosen(level):
        return at_stage(level, stages, tf.constant)

    for stage in range(stages + 1):
        for level in {max(0.0, stage - 0.75), float(stage)}:
            assert int(chosen(tf.constant(level))) == int(at_stage(level, stages, tf.constant)) == stage


@pytest.mark.parametrize("stages", [1, 3, 4, 6])
def test_the_gradient_of_a_gradient_is_that_of_the_chosen_branch(stages):
    """As a gradient penalty needs it, of layers with a kink."""

    @tf.function
    def second(level, x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = at_stage(level, stages, lambda stage: tf.nn.leaky_relu(x, 0.5) ** (stage + 2))
            norm = tf.reduce_sum(inner.gradient(y, x) ** 2)
        return outer.gradient(norm, x)

    x = np.array([-1.5, 0.5, 2.0])
    slope = np.where(x > 0, 1.0, 0.5)
    for stage in range(stages + 1):
        power = stage + 2
        # y' = p s (s x)ᵖ⁻¹, and the gradient of y'² is 2 y' y''.
        first, curvature = (
            power * slope * (slope * x) ** (power - 1),
            power * (power - 1) * slope**2 * (slope * x) ** stage,
        )
        found = second(tf.constant(float(stage)), tf.constant(x))
        np.testing.assert_allclose(found, 2 * first * curvature, rtol=1e-12)


def test_a_fixed_level_is_traced_without_the_other_stages():
    critic = ProgressiveCritic((16, 16, 1), filter_base=4, max_filters=2)
    images = tf.random.stateless_normal([2, 16, 16, 1], [0, 0])
    critic.level.assign(0.5)
    free = tf.function(lambda x: critic(x)).get_concrete_function(images)
    expected = free(images)
    critic.fix_level()
    fixed = tf.function(lambda x: critic(x)).get_concrete_function(images)
    critic.level.assign(2.0)
    np.testing.assert_array_equal(fixed(images), expected)
    assert "If" in str({operation.type for operation in free.graph.get_operations()})
    assert not any("If" in operation.type for operation in fixed.graph.get_operations())
