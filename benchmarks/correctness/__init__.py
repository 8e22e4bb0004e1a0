"""Whether a served model answers what TensorFlow computes: see scripts/verify-models and soak."""
