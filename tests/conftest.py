"""Settings that every test shares."""

import os

from hypothesis import settings

# TensorFlow reads it at its first run, which may be another test's than one that serves.
os.environ.setdefault("TF_XLA_FLAGS", "--tf_xla_cpu_global_jit")

# Derandomised: a run in CI depends on the code alone. HYPOTHESIS_PROFILE=thorough looks further.
settings.register_profile("ci", derandomize=True, deadline=None, database=None, max_examples=100)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
