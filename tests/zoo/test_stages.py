"""Networks in stages: the branch that a level chooses."""

import pytest
import tensorflow as tf

from zoo.stages import at_stage


@pytest.mark.parametrize("stages", [0, 1, 2, 3, 8])
def test_a_level_chooses_the_branch_of_its_stage(stages):
    @tf.function
    def chosen(level):
        return at_stage(level, stages, tf.constant)

    for stage in range(stages + 1):
        for level in {max(0.0, stage - 0.75), float(stage)}:
            assert int(chosen(tf.constant(level))) == int(at_stage(level, stages, tf.constant)) == stage
