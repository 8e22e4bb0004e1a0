"""The probe on exported models, through TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.models.warmup import probe_batch_independence, warm_up
from tests import saved_models
from tests.backends.conftest import Load

pytestmark = pytest.mark.tf


@pytest.mark.parametrize(
    ("exporter", "signature", "reason"),
    [
        (saved_models.half_plus_two, "serving_default", ""),
        (saved_models.several_inputs_and_outputs, "serving_default", ""),
        (saved_models.strings, "serving_default", ""),
        (saved_models.strings, "number", ""),
        (saved_models.variable_length, "serving_default", ""),
        (saved_models.picky, "serving_default", ""),
        (saved_models.counter, "serving_default", ""),
        (saved_models.broadcast_matmul, "serving_default", ""),
        (
            saved_models.mixes_rows,
            "serving_default",
            'output "y" of a row depends on the rows beside it',
        ),
        (saved_models.scalar_output, "serving_default", 'output "mean" is a scalar'),
        (saved_models.strings, "first", 'output "upper" is a scalar'),
    ],
)
def test_the_probe(
    load: Load, exporter: Callable[[Path], None], signature: str, reason: str
) -> None:
    model = load(exporter)
    run = model.runner(signature, "cpu:0")
    assert probe_batch_independence(run, model.signatures[signature]) == reason


def test_warm_up_leaves_a_counter_alone(load: Load) -> None:
    model = load(saved_models.counter)
    for name, signature in model.signatures.items():
        report = warm_up(model.runner(name, "cpu:0"), signature, (1, 8))
        assert (report.runs, report.failures) == (0 if signature.stateful else 2, [])
