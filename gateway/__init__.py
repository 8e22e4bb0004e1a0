"""Tensorgate: an asyncio-native batching inference gateway for TensorFlow SavedModels."""

__version__ = "0.1.0"
