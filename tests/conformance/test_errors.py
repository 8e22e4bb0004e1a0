"""§5: HTTP statuses, the phrases that clients match, and the order of checks."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from gateway.errors import Code
from tests.conformance.server import Server, until

pytestmark = pytest.mark.tf


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        (400, "INVALID_ARGUMENT FAILED_PRECONDITION OUT_OF_RANGE"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (409, "ALREADY_EXISTS ABORTED"),
        (429, "RESOURCE_EXHAUSTED"),
        (499, "CANCELLED"),
        (500, "UNKNOWN INTERNAL DATA_LOSS"),
        (501, "UNIMPLEMENTED"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
    ],
)
def test_statuses_of_codes(status: int, codes: str) -> None:
    assert {Code[name].http_status for name in codes.split()} == {status}


RANK_9 = [[[[[[[[[1]]]]]]]]]


@pytest.mark.parametrize(
    ("signature", "inputs", "status", "message"),
    [
        ("PARSE", ["z"], 400, "StringToNumberOp could not correctly convert string: z"),
        ("SHAPE", [1, 2, 3], 400, "Matrix size-incompatible: In[0]: [1,3], In[1]: [2,2]"),
        ("NOT_FOUND", ["/no/such/file"], 404, "No such file or directory"),
        ("FAILED_PRECONDITION", ["a"], 400, "uninitialized"),
        ("OUT_OF_RANGE", [1], 400, "End of sequence"),
        ("DATA_LOSS", ["no gzip"], 500, "inflate() failed"),
        ("UNIMPLEMENTED", RANK_9, 501, "reverse is not implemented for tensors of rank > 8"),
    ],
)
def test_the_model_s_own_failure_has_its_code(
    server: Server, signature: str, inputs: Any, status: int, message: str
) -> None:
    answer = server.predict("failures", {"signature_name": signature, "inputs": inputs})
    assert (answer.status, message in answer.error) == (status, True), answer.error


def test_a_model_s_assertion(server: Server) -> None:
    answer = server.predict("picky", {"instances": [1, -1]})
    assert (answer.status, "x must be >= 0" in answer.error) == (400, True), answer.error


NOT_FOUND = [
    ("POST", "none:predict", 404, "Servable not found for request: Latest(none)"),
    ("POST", "half/versions/7:predict", 404, "Servable not found for request: Specific(half, 7)"),
    ("POST", "none/versions/7:predict", 404, "Servable not found for request: Specific(none, 7)"),
    ("POST", "none:classify", 404, "Servable not found for request: Latest(none)"),
    ("POST", "none:regress", 404, "Servable not found for request: Latest(none)"),
    ("GET", "none/metadata", 404, "Servable not found for request: Latest(none)"),
    ("GET", "half/versions/7/metadata", 404, "Servable not found for request: Specific(half, 7)"),
    ("POST", "half/labels/x:predict", 400, "Unrecognized servable version label: x"),
    ("GET", "two/labels/x/metadata", 400, "Unrecognized servable version label: x"),
    ("GET", "none", 404, "Could not find any versions of model none"),
    ("GET", "none/versions/7", 404, "Could not find any versions of model none"),
    ("GET", "half/versions/7", 404, "Could not find version 7 of model half"),
]


@pytest.mark.parametrize(("method", "path", "status", "message"), NOT_FOUND)
def test_unknown_models_versions_and_labels(
    server: Server, method: str, path: str, status: int, message: str
) -> None:
    body = b'{"instances":[1],"examples":[{}]}' if method == "POST" else None
    answer = server.ask(method, f"/v1/models/{path}", body)
    assert (answer.status, answer.error) == (status, message)


WRONG = {"instances": "wrong"}
ORDER = [
    pytest.param("none:explain", b"{", 400, "Malformed request", id="URL before JSON"),
    pytest.param("none:predict", b"{", 400, "JSON Parse error", id="JSON before model"),
    pytest.param(
        "none:predict", {"signature_name": 1}, 400, "'signature_name'", id="signature_name's type"
    ),
    pytest.param("none:predict", WRONG, 404, "Servable not found", id="model before keys"),
    pytest.param(
        "half:predict", {"signature_name": "S"} | WRONG, 400, "not found", id="signature, values"
    ),
]


@pytest.mark.parametrize(("path", "body", "status", "phrase"), ORDER)
def test_the_order_of_checks(
    server: Server, path: str, body: Any, status: int, phrase: str
) -> None:
    answer = server.post(path, body)
    assert (answer.status, phrase in answer.error) == (status, True), answer.error


def test_a_deadline_that_passes_is_504(switched: Server) -> None:
    # The command that is printed at the start is tried first, and may still be in the queue.
    until(lambda: switched.predict("sleepy", {"instances": [1]}).status == 200)
    answer = switched.predict("sleepy", {"instances": [400]})
    assert answer.status == 504
    until(lambda: switched.predict("sleepy", {"instances": [1]}).status == 200)


def test_a_full_queue_is_503(switched: Server) -> None:
    """One request runs, one waits, and there is no room for more."""
    statuses: list[int] = []
    body = json.dumps({"instances": [200]}).encode()

    def ask() -> None:
        statuses.append(switched.predict("sleepy", body).status)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 200 in statuses
    assert 503 in statuses
    assert set(statuses) <= {200, 503, 504}
    until(lambda: switched.predict("sleepy", {"instances": [1]}).status == 200)
