"""The models that benchmarks serve, made here: seeded weights and inputs, the same every time."""
