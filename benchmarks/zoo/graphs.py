"""The graphs and their inputs. Every function takes the TensorFlow module: none imports it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Random = np.random.Generator
Signature = tuple[Any, Callable[[Any], Any]]
"""The input's TensorSpec and the function from it to the output."""

IMAGE = (32, 32, 3)
MLP_SIZES = (64, 256, 256, 10)
CNN_CHANNELS = (32, 64, 96, 128)
WORDS = (
    *("great", "awful", "fine", "slow", "quick", "food", "service", "never", "again", "would"),
    *("the", "a", "very", "not", "but", "and", "place", "staff", "waited", "lovely", "cold"),
)
HASH_BUCKETS, WIDTH = 4096, 32
VOCABULARY, LONGEST = 8192, 512
MEDIAN_LENGTH, LENGTH_SIGMA = 24, 1.22
"""Log-normal: p95 at 178 tokens, as sentences of mixed sources have."""


def mlp(tf: Any, module: Any, random: Random) -> Signature:
    """x [-1, 64] -> probabilities [-1, 10]."""
    pairs = itertools.pairwise(MLP_SIZES)
    layers = [(_weights(tf, random, *pair), _weights(tf, random, pair[1])) for pair in pairs]
    module.layers = layers

    def run(x: Any) -> Any:
        for kernel, bias in layers[:-1]:
            x = tf.nn.relu(x @ kernel + bias)
        kernel, bias = layers[-1]
        return tf.nn.softmax(x @ kernel + bias)

    return tf.TensorSpec([None, MLP_SIZES[0]], tf.float32), run


def cnn(tf: Any, module: Any, random: Random) -> Signature:
    """image [-1, 32, 32, 3] -> probabilities [-1, 10]."""
    sizes = (IMAGE[2], *CNN_CHANNELS)
    kernels = [
        _weights(tf, random, 3, 3, *pair, fan_in=9 * pair[0]) for pair in itertools.pairwise(sizes)
    ]
    head = _weights(tf, random, sizes[-1], 10)
    module.weights = [*kernels, head]

    def run(image: Any) -> Any:
        x = image
        for number, kernel in enumerate(kernels):
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, strides=1 + (number == 1), padding="SAME"))
        return tf.nn.softmax(tf.reduce_mean(x, axis=[1, 2]) @ head)

    return tf.TensorSpec([None, *IMAGE], tf.float32), run


def text(tf: Any, module: Any, random: Random) -> Signature:
    """text string [-1] -> probabilities [-1, 4]: cleaned, split, hashed, averaged."""
    embeddings = _weights(tf, random, HASH_BUCKETS, WIDTH, fan_in=1)
    head = _weights(tf, random, WIDTH, 4)
    module.weights = [embeddings, head]

    def run(texts: Any) -> Any:
        cleaned = tf.strings.regex_replace(tf.strings.lower(texts), "[^a-z ]", " ")
        words = tf.strings.split(cleaned)
        buckets = tf.strings.to_hash_bucket_fast(words.flat_values, HASH_BUCKETS)
        vectors = tf.math.segment_sum(tf.gather(embeddings, buckets), words.value_rowids())
        # Texts at the end without a word have no segment.
        missing = tf.shape(texts)[0] - tf.shape(vectors)[0]
        return tf.nn.softmax(tf.pad(vectors, [[0, missing], [0, 0]]) @ head)

    return tf.TensorSpec([None], tf.string), run


def tokens(tf: Any, module: Any, random: Random) -> Signature:
    """ids [-1, -1] -> probabilities [-1, 8]; id 0 is padding and changes nothing."""
    embeddings = _weights(tf, random, VOCABULARY, WIDTH, fan_in=1)
    wide, narrow = _weights(tf, random, WIDTH, 256), _weights(tf, random, 256, WIDTH)
    head = _weights(tf, random, WIDTH, 8)
    module.weights = [embeddings, wide, narrow, head]

    def run(ids: Any) -> Any:
        real = tf.cast(ids != 0, tf.float32)[:, :, None]
        x = tf.gather(embeddings, ids)
        x += tf.nn.relu(x @ wide) @ narrow
        mean = tf.reduce_sum(x * real, axis=1) / tf.maximum(tf.reduce_sum(real, axis=1), 1.0)
        return tf.nn.softmax(mean @ head)

    return tf.TensorSpec([None, None], tf.int32), run


GRAPHS: dict[str, Callable[[Any, Any, Random], Signature]] = {
    "mlp": mlp,
    "cnn": cnn,
    "text": text,
    "tokens": tokens,
}


def row_of(model: str, number: int, random: Random) -> Any:
    """The ``number``-th question's row, as JSON has it. Each is different."""
    return _ROWS[model](number, random)


def _numbers(*shape: int) -> Callable[[int, Random], Any]:
    # Three decimals: a 32x32x3 image is 18 kB of JSON.
    return lambda _, random: random.random(shape).round(3).tolist()


def _sentence(number: int, random: Random) -> str:
    words = random.choice(WORDS, size=int(random.integers(4, 30)))
    return f"Review {number}: " + " ".join(words).capitalize() + "!"


def _ids(_: int, random: Random) -> list[int]:
    length = round(random.lognormal(math.log(MEDIAN_LENGTH), LENGTH_SIGMA))
    found: list[int] = random.integers(1, VOCABULARY, min(max(length, 1), LONGEST)).tolist()
    return found


_ROWS: dict[str, Callable[[int, Random], Any]] = {
    "half_plus_two": lambda number, _: 1.0 + number,
    "mlp": _numbers(MLP_SIZES[0]),
    "cnn": _numbers(*IMAGE),
    "text": _sentence,
    "tokens": _ids,
}


def _weights(tf: Any, random: Random, *shape: int, fan_in: int = 0) -> Any:
    scale = math.sqrt(2.0 / (fan_in or shape[0]))
    values: NDArray[np.float64] = random.standard_normal(shape) * scale
    return tf.Variable(values.astype(np.float32))
