"""What TensorFlow 2.21 says, word for word, and what of it reaches a client."""

from __future__ import annotations

import logging

import pytest

from gateway.backends.tf_errors import (
    MAX_MESSAGE_LENGTH,
    client_message,
    load_error,
    serving_error,
)
from gateway.errors import Code, ServingError, invalid_argument

NODE = "\n\t [[{{function_node __inference_f_38}}{{node model/Op}}]]"


class FakeOpError(Exception):
    """Looks like tf.errors.OpError."""

    def __init__(self, message: str, error_code: int = 3) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        pytest.param(
            "assertion failed: [x must be >= 0] [-1 2]"
            "\n\t [[{{function_node Assert_AssertGuard_false_7}}{{node Assert/Assert}}]]",
            "assertion failed: [x must be >= 0] [-1 2]",
            id="assert",
        ),
        pytest.param(
            "assertion failed: [] [Condition x >= 0 did not hold element-wise:]"
            " [x (scope/x:0) = ] [-1]" + NODE,
            "assertion failed: [] [Condition x >= 0 did not hold element-wise:] [x = ] [-1]",
            id="tensor-name",
        ),
        pytest.param(
            "Matrix size-incompatible: In[0]: [2,4], In[1]: [3,2] 0 0"
            "\n\t [[{{node StatefulPartitionedCall_3/StatefulPartitionedCall/MatMul}}]]",
            "Matrix size-incompatible: In[0]: [2,4], In[1]: [3,2] 0 0",
            id="matmul",
        ),
        pytest.param(
            "Graph execution error:\n\nDetected at node StringToNumber defined at (most recent "
            'call last):\n  File "/srv/app/train.py", line 3, in <module>\n    run(model)\n\n'
            '  File "/srv/app/model.py", line 9, in run\n    return f(x)\n           ^^^^\n\n'
            "StringToNumberOp could not correctly convert string: abc\n"
            "\t [[{{node StringToNumber}}]] [Op:__inference_signature_wrapper_f_176]",
            "StringToNumberOp could not correctly convert string: abc",
            id="definition-trace",
        ),
        pytest.param(
            "Graph execution error:\n\nDetected at node 'x' defined at (most recent call last):\n"
            "<stack traces unavailable>\nNode: 'x'\nIncompatible shapes: [3] vs. [2]\n"
            "\t [[{{node x}}]]",
            "Incompatible shapes: [3] vs. [2]",
            id="no-trace",
        ),
        pytest.param(
            "2 root error(s) found.\n  (0) INVALID_ARGUMENT: indices[1] = 9 is not in [0, 5)\n"
            "\t [[{{node Gather}}]]\n\t [[Identity/_3]]\n"
            "  (1) INVALID_ARGUMENT: indices[1] = 9 is not in [0, 5)\n\t [[{{node Gather}}]]\n"
            "0 successful operations.\n0 derived errors ignored.",
            "indices[1] = 9 is not in [0, 5)",
            id="several-roots",
        ),
        pytest.param(
            "ZeroDivisionError: division by zero\nTraceback (most recent call last):\n\n"
            '  File "/usr/lib/python3/script_ops.py", line 269, in __call__\n    ret = func(*args)',
            "ZeroDivisionError: division by zero",
            id="python",
        ),
        pytest.param(
            "/srv/models/m/1/assets/words.txt; No such file or directory" + NODE,
            "words.txt; No such file or directory",
            id="path",
        ),
        pytest.param("gs://bucket/m/1/words.txt; denied", "words.txt; denied", id="remote-path"),
        pytest.param("file:///srv/m/words.txt: denied", "words.txt: denied", id="file-url"),
        pytest.param(
            "see https://example.org/a/b", "see https://example.org/a/b", id="web-address"
        ),
        pytest.param(
            "OOM when allocating tensor with shape[9] on "
            "/job:localhost/replica:0/task:0/device:GPU:0 by allocator gpu",
            "OOM when allocating tensor with shape[9] on GPU:0 by allocator gpu",
            id="device",
        ),
        pytest.param(
            "Ratio 3/4/5 of [2]/[3] is off", "Ratio 3/4/5 of [2]/[3] is off", id="slashes"
        ),
        pytest.param("values [[1 2] [3 4]] refused", "values [[1 2] [3 4]] refused", id="brackets"),
    ],
)
def test_a_client_gets_the_sentence_and_nothing_of_the_machinery(raw: str, told: str) -> None:
    assert client_message(raw) == told


def test_long_messages_are_cut() -> None:
    told = client_message("x" * 2000)
    assert len(told) == MAX_MESSAGE_LENGTH
    assert told.endswith("x…")


@pytest.mark.parametrize("code", [c for c in Code if c not in (Code.OK, Code.PAYLOAD_TOO_LARGE)])
def test_canonical_codes_are_kept(code: Code) -> None:
    assert serving_error(FakeOpError("no", code.grpc_code)).code is code


def test_a_code_of_tomorrow_is_unknown() -> None:
    assert serving_error(FakeOpError("no", 99)).code is Code.UNKNOWN


def test_a_message_of_machinery_alone_still_says_something() -> None:
    assert serving_error(FakeOpError("\t [[{{node x}}]]")).message == "the model failed"


def test_a_closed_session_is_an_unloaded_model() -> None:
    error = serving_error(FakeOpError("Session has been closed.", Code.CANCELLED.grpc_code))
    assert error.code is Code.UNAVAILABLE


def test_anything_else_is_internal_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    error = serving_error(RuntimeError("secret of /srv/x"))
    assert error.code is Code.INTERNAL
    assert "secret" not in error.message
    assert caplog.records[0].levelno == logging.ERROR
    assert "secret of /srv/x" in caplog.text


def test_our_own_errors_pass_through() -> None:
    own = invalid_argument("no")
    assert serving_error(own) is own
    assert load_error(own) is own


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (
            FakeOpError("block checksum mismatch", 15),
            Code.DATA_LOSS,
            "its variables are damaged",
        ),
        (
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
            Code.DATA_LOSS,
            "its saved_model.pb is damaged",
        ),
        (
            FakeOpError("/srv/m/variables.data-00000-of-00001; No such file or directory", 2),
            Code.UNKNOWN,
            "variables.data-00000-of-00001; No such file or directory",
        ),
        (
            FakeOpError(
                "Op type not registered 'Sentencepiece' in binary running on host-7. Make sure "
                "the Op and Kernel are registered in the binary running in this process.",
                5,
            ),
            Code.UNIMPLEMENTED,
            "its graph uses the op Sentencepiece, which this TensorFlow does not have",
        ),
        (
            TypeError("Cannot interpret feed_dict key: /srv/m"),
            Code.INTERNAL,
            "TypeError (details in the debug log)",
        ),
    ],
)
def test_a_load_failure_is_one_short_sentence(error: Exception, code: Code, reason: str) -> None:
    told = load_error(error)
    assert isinstance(told, ServingError)
    assert (told.code, told.message) == (code, f"the SavedModel cannot be loaded: {reason}")
