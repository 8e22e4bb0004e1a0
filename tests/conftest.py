"""Settings that every test shares."""

import os

from hypothesis import settings

# Derandomised: a run in CI depends on the code alone. HYPOTHESIS_PROFILE=thorough looks further.
settings.register_profile("ci", derandomize=True, deadline=None, database=None, max_examples=100)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
