"""§7, version folders: which count, what is loaded and unloaded, and what breaks."""

from __future__ import annotations

import shutil
import threading
from functools import partial
from typing import Any

import pytest

from tests.conformance.folders import VARIABLES, Repository, damage
from tests.conformance.server import Server, until

pytestmark = pytest.mark.tf


def adds(server: Server, model: str) -> float:
    """What the model adds, which is the version that answers."""
    answer = server.predict(model, {"instances": [0]})
    assert answer.status == 200, answer.error
    (added,) = answer.json["predictions"]
    return float(added)


@pytest.mark.parametrize(
    ("model", "versions"),
    [
        pytest.param("newest", [2], id="latest, the default"),
        pytest.param("two_latest", [2, 10], id="latest { num_versions: 2 }"),
        pytest.param("every", [1, 2, 3], id="all"),
        pytest.param("chosen", [1, 3], id="specific"),
        pytest.param("named", [123], id="the whole name is a number, leading zeros or not"),
        pytest.param("twice", [5], id="two names for one number"),
    ],
)
def test_policies_and_names(watching: Server, model: str, versions: list[int]) -> None:
    assert watching.is_available(model, *versions)
    assert adds(watching, model) == max(versions)
    for version in versions:
        assert adds(watching, f"{model}/versions/{version}") == version


def test_a_version_that_the_policy_leaves_out(watching: Server) -> None:
    answer = watching.predict("chosen/versions/2", {"instances": [0]})
    message = "Servable not found for request: Specific(chosen, 2)"
    assert (answer.status, answer.error) == (404, message)


def test_a_new_version_takes_over(watching: Server, repository: Repository) -> None:
    assert adds(watching, "swapped") == 1
    repository.put("swapped", 2)
    until(lambda: watching.is_available("swapped", 2))
    assert adds(watching, "swapped") == 2
    until(lambda: watching.state("swapped", 1) == ("END", "OK", ""))
    listed = watching.get("/v1/models/swapped").json["model_version_status"]
    assert [(each["version"], each["state"]) for each in listed] == [
        ("2", "AVAILABLE"),
        ("1", "END"),
    ], "a version that was unloaded stays listed"
    assert watching.predict("swapped/versions/1", {"instances": [0]}).status == 404


def test_versions_are_compared_as_numbers(watching: Server, repository: Repository) -> None:
    repository.put("two_latest", 9)
    until(lambda: watching.is_available("two_latest", 9, 10))


def test_no_request_fails_while_versions_change(watching: Server, repository: Repository) -> None:
    answers: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answers.append(adds(watching, "traffic"))

    def is_last(version: int) -> bool:
        return answers[-1:] == [version]

    client = threading.Thread(target=ask)
    client.start()
    for version in (2, 3, 4):
        repository.put("traffic", version)
        until(partial(is_last, version))
    stop.set()
    client.join()
    assert answers == sorted(answers), "a client sees versions in order"
    assert set(answers) == {1, 2, 3, 4}


def test_a_running_request_finishes_on_its_version(
    watching: Server, repository: Repository
) -> None:
    answers: list[Any] = []
    request = {"instances": [2000]}
    client = threading.Thread(target=lambda: answers.append(watching.predict("in_use", request)))
    client.start()
    repository.put("in_use", 2)
    until(lambda: watching.is_available("in_use", 2))
    assert watching.state("in_use", 1)[0] == "UNLOADING"
    assert not answers
    client.join()
    assert answers[0].json == {"predictions": [2000.0]}
    until(lambda: watching.state("in_use", 1)[0] == "END")


def test_a_deleted_latest_version_falls_back(watching: Server, repository: Repository) -> None:
    assert adds(watching, "fallback") == 2
    repository.remove("fallback", 2)
    until(lambda: watching.is_available("fallback", 1))
    assert adds(watching, "fallback") == 1


def test_an_emptied_base_path_goes_on_serving(watching: Server, repository: Repository) -> None:
    """TF Serving unloads the model."""
    repository.remove("emptied", 1)
    nothing = "the base path holds no numbered version folder"
    until(lambda: watching.logged('"model":"emptied"', nothing))
    assert watching.is_available("emptied", 1)
    assert adds(watching, "emptied") == 1
    repository.put("emptied", 2)
    until(lambda: watching.is_available("emptied", 2))


def test_a_missing_base_path_stops_no_other_model(watching: Server, repository: Repository) -> None:
    """TF Serving gives up looking for all models."""
    shutil.rmtree(repository.root / "unreadable")
    until(lambda: watching.logged('"model":"unreadable"', "the base path cannot be read"))
    repository.put("neighbour", 2)
    until(lambda: watching.is_available("neighbour", 2))
    assert adds(watching, "unreadable") == 1
    status = watching.get("/v1/models/absent")
    assert (status.status, status.error) == (
        404,
        "Could not find any versions of model absent",
    )
    repository.put("absent", 1)
    until(lambda: watching.is_available("absent", 1))


def test_a_half_copied_folder_is_not_loaded_until_it_is_complete(
    watching: Server, repository: Repository
) -> None:
    """TF Serving loads what it finds."""
    source = repository.exported(2)
    arriving = repository.root / "half_copied" / "2"
    arriving.mkdir()
    shutil.copy(source / "saved_model.pb", arriving)
    until(lambda: watching.state("half_copied", 2)[2])
    without_variables = watching.state("half_copied", 2)[2]
    assert adds(watching, "half_copied") == 1
    (arriving / "variables").mkdir()
    shutil.copy(source / "variables" / "variables.index", arriving / "variables")
    data = (source / VARIABLES).read_bytes()
    (arriving / VARIABLES).write_bytes(data[: len(data) // 2])
    until(lambda: watching.state("half_copied", 2)[2] not in ("", without_variables))
    assert adds(watching, "half_copied") == 1
    (arriving / VARIABLES).write_bytes(data)
    until(lambda: watching.is_available("half_copied", 2))
    assert adds(watching, "half_copied") == 2


def test_a_broken_version_ends_with_its_error_and_the_old_one_serves(
    watching: Server, repository: Repository
) -> None:
    damage(repository.put("mended", 2))
    until(lambda: watching.state("mended", 2)[1] == "DATA_LOSS")
    state, _, message = watching.state("mended", 2)
    assert state in ("END", "LOADING")
    assert "variables are damaged" in message
    assert str(repository.root) not in message
    assert adds(watching, "mended") == 1
    assert watching.predict("mended/versions/2", {"instances": [0]}).status == 404
    repository.put("mended", 2)
    until(lambda: watching.is_available("mended", 2))
    assert watching.state("mended", 2) == ("AVAILABLE", "OK", "")
    assert adds(watching, "mended") == 2


def test_a_failed_version_is_tried_again_when_its_folder_comes_back(
    watching: Server, repository: Repository
) -> None:
    until(lambda: watching.state("broken", 1)[0] == "END")
    answer = watching.predict("broken", {"instances": [0]})
    message = "Servable not found for request: Latest(broken)"
    assert (answer.status, answer.error) == (404, message)
    repository.remove("broken", 1)
    repository.put("broken", 1)
    until(lambda: watching.is_available("broken", 1))
    assert adds(watching, "broken") == 1


def test_a_failed_load_is_tried_five_times_more(watching: Server) -> None:
    until(lambda: watching.logged('"model":"hopeless"', "when its folder changes"))
    lines = watching.log.read_text().splitlines()
    failures = [x for x in lines if "model version not loaded" in x and '"hopeless"' in x]
    assert len(failures) == 6


def test_a_folder_that_changes_is_loaded_again(watching: Server, repository: Repository) -> None:
    """TF Serving does not notice."""
    assert adds(watching, "replaced") == 1
    repository.put("replaced", 1, adds=7)
    until(lambda: adds(watching, "replaced") == 7)
    assert watching.is_available("replaced", 1)


def test_status_answers_are_the_official_message(watching: Server) -> None:
    from google.protobuf import json_format
    from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse

    for model in FAILED_OR_NOT:
        answer = watching.get(f"/v1/models/{model}")
        read = json_format.Parse(answer.body.decode(), GetModelStatusResponse())
        assert [each.version for each in read.model_version_status]
        assert answer.json == json_format.MessageToDict(
            read, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )


FAILED_OR_NOT = ("mended", "broken", "swapped", "every")
