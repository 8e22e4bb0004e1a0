"""§9: recorded requests, replayed before a version takes its first one."""

from __future__ import annotations

import pytest

from tests.conformance.server import Server, until
from tests.conformance.warmup_records import REFUSED, REPLAYED

pytestmark = pytest.mark.tf


def written_down(server: Server, model: str) -> int:
    answer = server.predict(model, {"signature_name": "peek", "inputs": {}})
    assert answer.status == 200, answer.error
    return int(answer.json["outputs"])


@pytest.mark.parametrize("model", REPLAYED)
def test_records_are_replayed_in_order(server: Server, model: str) -> None:
    assert written_down(server, model) == REPLAYED[model][1]


def test_no_file_is_fine(server: Server) -> None:
    assert written_down(server, "no_file") == 0


@pytest.mark.parametrize("model", REFUSED)
def test_a_record_that_fails_fails_the_load(server: Server, model: str) -> None:
    _, code, phrase = REFUSED[model]
    until(lambda: server.state(model, 1)[0] == "END")
    _, found, message = server.state(model, 1)
    assert (found, phrase in message) == (code, True), message
    assert server.predict(model, {"signature_name": "peek", "inputs": {}}).status == 404


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("no_records", id="no TFRecord file"),
        pytest.param("cut_off", id="a file that is cut off"),
    ],
)
def test_a_damaged_file_is_data_loss(server: Server, model: str) -> None:
    until(lambda: server.state(model, 1)[0] == "END")
    _, code, message = server.state(model, 1)
    assert code == "DATA_LOSS"
    assert "Please verify your warmup data is in TFRecord format." in message


def test_the_number_of_iterations(reloading: Server) -> None:
    """That server replays each record three times."""
    assert written_down(reloading, "repeated") == 111222


def test_warmup_can_be_switched_off(watching: Server) -> None:
    """That server does not even open the file, which has no records."""
    assert watching.is_available("unwarmed", 1)
