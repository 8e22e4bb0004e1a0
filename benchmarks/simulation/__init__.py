"""Batching policies under simulated load: the real batcher on a clock that jumps from event to
event, with a device that takes the time a formula says. Seeded: the same figures every time."""
