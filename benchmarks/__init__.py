"""Benchmarks of Tensorgate. Run them as modules from the repository's root; see README.md."""
