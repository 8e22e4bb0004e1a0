"""§7 and §2, labels and the config file while the server runs: polled, and read on SIGHUP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.configuration import model_config
from tests.conformance.folders import Repository
from tests.conformance.server import Server, until
from tests.conformance.test_versions import adds

pytestmark = pytest.mark.tf

UNKNOWN = "Unrecognized servable version label"
UNAVAILABLE = (
    "Request to assign label to version {} of model first, which is not currently available for"
    " inference"
)


@pytest.fixture(autouse=True)
def _as_at_first(configured: Repository, reloading: Server) -> Iterator[None]:
    served = dict(configured.served)
    text = model_config(served)
    yield
    configured.served.clear()
    configured.served.update(served)
    if (configured.root / "models.conf").read_text() != text:
        before = reloading.generation()
        configured.write_config()
        until(lambda: reloading.generation() > before)
    until(lambda: reloading.is_available("first", 1, 2) and reloading.is_available("second", 2))


def reload(server: Server, repository: Repository) -> None:
    """Write what the repository says and wait until it is in force."""
    before = server.generation()
    repository.write_config()
    until(lambda: server.generation() > before)
    assert server.configuration_error() == ""


def label_error(server: Server, label: str) -> str:
    answer = server.predict(f"first/labels/{label}", {"instances": [0]})
    assert answer.status == 400
    return answer.error


def test_labels(reloading: Server) -> None:
    assert adds(reloading, "first/labels/stable") == 1
    assert adds(reloading, "first") == 2
    assert label_error(reloading, "canary") == f"{UNKNOWN}: canary"


def test_labels_move_as_a_whole(reloading: Server, configured: Repository) -> None:
    configured.serve("first", "all", {"stable": 2, "old": 1})
    reload(reloading, configured)
    assert adds(reloading, "first/labels/stable") == 2
    assert adds(reloading, "first/labels/old") == 1
    configured.serve("first", "all", {"canary": 2})
    reload(reloading, configured)
    assert adds(reloading, "first/labels/canary") == 2
    assert label_error(reloading, "stable") == f"{UNKNOWN}: stable"


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({"stable": 7}, id="a label in use"),
        pytest.param({"stable": 2, "new": 7}, id="a new label"),
    ],
)
def test_a_label_for_a_version_that_is_not_there(
    reloading: Server, configured: Repository, labels: dict[str, int]
) -> None:
    configured.serve("first", "all", labels)
    configured.serve("third")
    configured.write_config()
    until(lambda: UNAVAILABLE.format(7) in reloading.configuration_error())
    assert adds(reloading, "first/labels/stable") == 1
    assert label_error(reloading, "new") == f"{UNKNOWN}: new"
    assert reloading.get("/v1/models/third").status == 404, "nothing of it is in force"


def test_a_model_comes_and_goes(reloading: Server, configured: Repository) -> None:
    configured.serve("third")
    reload(reloading, configured)
    until(lambda: reloading.is_available("third", 2))
    del configured.served["third"]
    reload(reloading, configured)
    answer = reloading.predict("third", {"instances": [0]})
    message = "Servable not found for request: Latest(third)"
    assert (answer.status, answer.error) == (404, message)
    status = reloading.get("/v1/models/third")
    assert (status.status, status.error) == (404, "Could not find any versions of model third")


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        pytest.param("latest:2", [1, 2], id="latest"),
        pytest.param("all", [1, 2], id="all"),
        pytest.param("specific:1", [1], id="specific"),
    ],
)
def test_another_policy(
    reloading: Server, configured: Repository, policy: str, versions: list[int]
) -> None:
    assert reloading.is_available("second", 2)
    configured.serve("second", policy)
    reload(reloading, configured)
    until(lambda: reloading.is_available("second", *versions))
    assert adds(reloading, "second") == max(versions)


def test_another_base_path(reloading: Server, configured: Repository) -> None:
    elsewhere = configured.put("elsewhere", 3)
    configured.served["second"] = type(configured.served["second"])(elsewhere.parent)
    reload(reloading, configured)
    until(lambda: reloading.is_available("second", 3))
    assert adds(reloading, "second") == 3


MODEL = 'config { name: "third" base_path: "/tmp" model_platform: "tensorflow" }'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("model_config_list {", "models.conf", id="no protobuf text"),
        pytest.param("model_config_list { x: 1 }", '"x"', id="unknown field"),
        pytest.param(f"model_config_list {{ {MODEL} {MODEL} }}", "twice", id="a name twice"),
        pytest.param(MODEL.join(["model_config_list {", "}"]).replace("/tmp", "tmp"), "absolute"),
        pytest.param(
            MODEL.join(["model_config_list {", "}"]).replace("tensorflow", "torch"), "platform"
        ),
        pytest.param("custom_model_config {}", "custom_model_config is not supported"),
        pytest.param("", "model_config_list", id="an empty file"),
    ],
)
def test_a_bad_file_leaves_the_old_configuration_in_force(
    reloading: Server, configured: Repository, text: str, reason: str
) -> None:
    before = reloading.generation()
    configured.write_text(text)
    until(lambda: reason in reloading.configuration_error())
    assert reloading.generation() == before
    assert adds(reloading, "first/labels/stable") == 1
    assert adds(reloading, "second") == 2
    assert reloading.get("/v1/models/third").status == 404


def test_hanging_up_reads_the_file_again(watching: Server, repository: Repository) -> None:
    """This server does not look at its config file by itself."""
    repository.put("later", 1)
    repository.put("later", 2)
    repository.serve("later", "all", {"stable": 1})
    repository.write_config()
    before = watching.generation()
    watching.hang_up()
    until(lambda: watching.generation() > before)
    until(lambda: watching.is_available("later", 1, 2))
    assert adds(watching, "later/labels/stable") == 1
    assert watching.get("/v1/models/swapped").status == 200, "the other models stay"


def test_a_new_label_may_wait_for_its_version(watching: Server, repository: Repository) -> None:
    """With --allow_version_labels_for_unavailable_models; one that is in use may not."""
    repository.serve("promised", "all", {"stable": 1, "next": 7})
    repository.write_config()
    before = watching.generation()
    watching.hang_up()
    until(lambda: watching.generation() > before)
    assert adds(watching, "promised/labels/stable") == 1
    answer = watching.predict("promised/labels/next", {"instances": [0]})
    message = "Servable not found for request: Specific(promised, 7)"
    assert (answer.status, answer.error) == (404, message)
    repository.put("promised", 7)
    until(lambda: watching.is_available("promised", 1, 7))
    assert adds(watching, "promised/labels/next") == 7
    repository.serve("promised", "all", {"stable": 8, "next": 7})
    repository.write_config()
    watching.hang_up()
    until(lambda: "label to version 8 of model promised" in watching.configuration_error())
    assert adds(watching, "promised/labels/stable") == 1
    repository.serve("promised", "all", {"stable": 1, "next": 7})
    repository.write_config()
    watching.hang_up()
    until(lambda: watching.configuration_error() == "")


def test_hanging_up_with_a_bad_file(watching: Server, repository: Repository) -> None:
    repository.write_text("model_config_list { config { name: 'x' } }")
    before = watching.generation()
    watching.hang_up()
    until(lambda: "base_path" in watching.configuration_error())
    assert watching.generation() == before
    repository.write_config()
    watching.hang_up()
    until(lambda: watching.generation() > before)
    assert watching.configuration_error() == ""
