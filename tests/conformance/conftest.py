"""The servers that the rows are asked of: each is started once a session, by its first test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests import saved_models
from tests.conformance import example_models, models
from tests.conformance.configuration import Model, model_config
from tests.conformance.folders import Repository, damage
from tests.conformance.server import Server, serving
from tests.conformance.warmup_records import (
    RECORDS,
    REFUSED,
    REPLAYED,
    predict_log,
    record_file,
)

Exporter = Callable[[Path], None]

STATIC: Mapping[str, Exporter] = {
    "half": saved_models.half_plus_two,
    "column": models.one_column,
    "dtypes": saved_models.every_dtype,
    "strings": models.strings,
    "shapes": models.shapes,
    "scalar": saved_models.scalar_output,
    "several": saved_models.several_inputs_and_outputs,
    "failures": models.failures,
    "picky": saved_models.picky,
    "defaults": saved_models.with_default,
    "tf1": saved_models.tf1_export,
    "assets": models.tf1_assets,
    "examples": example_models.examples,
    "shown": example_models.shows_examples,
}
"""One version, 123, of each."""

BATCHING = """
max_batch_size { value: 1 }
max_enqueued_batches { value: 1 }
num_batch_threads { value: 1 }
"""
MONITORING = 'prometheus_config { enable: true path: "/my/metrics" }'


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, recorder: Path) -> Iterator[Server]:
    """With default flags: the models of ``STATIC``; ``two`` with versions 1 and 2, labels
    ``stable`` and ``canary``; recorders with the warm-up records of ``REPLAYED``, ``REFUSED`` and
    with ``no_file``, ``no_records`` and a file that is ``cut_off``."""
    folder = tmp_path_factory.mktemp("static")
    for name, exporter in STATIC.items():
        (folder / name).mkdir()
        exporter(folder / name / "00000123")
    for version in (1, 2):
        (folder / "two").mkdir(exist_ok=True)
        models.adds(version)(folder / "two" / str(version))
    served = {name: Model(folder / name) for name in (*STATIC, *_warm_models(folder, recorder))}
    served["examples"] = Model(folder / "examples", labels={"stable": 123})
    served["two"] = Model(folder / "two", policy="all", labels={"stable": 1, "canary": 2})
    (folder / "models.conf").write_text(model_config(served))
    with serving(folder, "--model_config_file=models.conf") as started:
        yield started


def _warm_models(folder: Path, recorder: Path) -> Iterator[str]:
    """Names of the models that have, or lack, recorded requests."""
    records: dict[str, bytes] = {
        model: record_file(logs()) for model, (logs, *_) in (REPLAYED | REFUSED).items()
    }
    records["no_records"] = b"these are no records at all, are they?"
    records["cut_off"] = record_file([predict_log(1)] * 2)[:-3]
    for model, data in records.items():
        shutil.copytree(recorder, folder / model / "1")
        (folder / model / "1" / RECORDS).write_bytes(data)
        yield model
    shutil.copytree(recorder, folder / "no_file" / "1")
    yield "no_file"


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version folder of the model that writes down what it is asked, with room for records."""
    path = tmp_path_factory.mktemp("recorder") / "1"
    example_models.recorder(path)
    (path / "assets.extra").mkdir()
    return path


@pytest.fixture(scope="session")
def switched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With the switches of REST thrown: a deadline of 300 ms, CORS, another path for metrics, the
    check of method names, a queue for one request. One model, ``sleepy``, on one device."""
    folder = tmp_path_factory.mktemp("switched")
    (folder / "sleepy").mkdir()
    models.sleepy(folder / "sleepy" / "1")
    (folder / "batching.txt").write_text(BATCHING)
    (folder / "monitoring.txt").write_text(MONITORING)
    flags = (
        "--model_name=sleepy",
        f"--model_base_path={folder / 'sleepy'}",
        "--rest_api_timeout_in_ms=300",
        "--rest_api_enable_cors_support",
        "--monitoring_config_file=monitoring.txt",
        "--enable_signature_method_name_check",
        "--enable_batching",
        "--batching_parameters_file=batching.txt",
        "--devices=cpu:0",
    )
    with serving(folder, *flags) as started:
        yield started


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A version folder whose model adds the number, made once a session. For reading only."""
    folder = tmp_path_factory.mktemp("exported")

    def export(number: int) -> Path:
        path = folder / str(number)
        if not path.exists():
            models.adds(number)(path)
        return path

    return export


FOLDERS: Mapping[str, tuple[str, Sequence[int | str]]] = {
    "newest": ("", [1, 2]),
    "swapped": ("", [1]),
    "two_latest": ("latest:2", [1, 2, 10]),
    "every": ("all", [1, 2, 3]),
    "chosen": ("specific:1,3", [1, 2, 3]),
    "named": ("all", ["00000123", "abc", "1x", "v2"]),
    "twice": ("all", ["5", "005"]),
    "fallback": ("", [1, 2]),
    "emptied": ("", [1]),
    "unreadable": ("", [1]),
    "neighbour": ("", [1]),
    "half_copied": ("", [1]),
    "mended": ("", [1]),
    "replaced": ("", [1]),
    "traffic": ("", [1]),
    "promised": ("all", [1]),
}
"""Policy and version folders, by model, of a server that is about to start."""


@pytest.fixture(scope="session")
def repository(
    tmp_path_factory: pytest.TempPathFactory, exported: Callable[[int], Path]
) -> Repository:
    """What ``watching`` serves: ``FOLDERS``, and ``in_use``, ``broken``, ``hopeless``,
    ``absent`` and ``unwarmed`` with a story of their own."""
    made = Repository(tmp_path_factory.mktemp("watched"), exported)
    for model, (policy, names) in FOLDERS.items():
        made.serve(model, policy)
        for name in names:
            number = "".join(filter(str.isdigit, str(name))) or "1"
            made.put(model, name, int(number))
    models.sleepy(made.root / "in_use" / "1")
    for model in ("broken", "hopeless"):
        damage(made.put(model, 1))
    unwarmed = made.put("unwarmed", 1)
    (unwarmed / "assets.extra").mkdir()
    (unwarmed / RECORDS).write_bytes(b"no records")
    for model in ("in_use", "broken", "hopeless", "absent", "unwarmed"):
        made.serve(model)
    return made


@pytest.fixture(scope="session")
def watching(repository: Repository) -> Iterator[Server]:
    """Looks at its folders every 0.1 s, tries failed loads again after 0.2 s, does not replay
    recorded requests, and lets new labels wait for their versions."""
    repository.write_config()
    flags = (
        "--model_config_file=models.conf",
        "--file_system_poll_wait_seconds=0.1",
        "--load_retry_interval_micros=200000",
        "--enable_model_warmup=false",
        "--allow_version_labels_for_unavailable_models",
    )
    with serving(repository.root, *flags) as started:
        yield started


@pytest.fixture(scope="session")
def configured(
    tmp_path_factory: pytest.TempPathFactory, exported: Callable[[int], Path], recorder: Path
) -> Repository:
    """What ``reloading`` serves at first: ``first`` and ``second``, versions 1 and 2 of each, and
    ``repeated`` with recorded requests."""
    made = Repository(tmp_path_factory.mktemp("configured"), exported)
    for model in ("first", "second", "third"):
        for version in (1, 2):
            made.put(model, version)
    made.serve("first", "all", {"stable": 1})
    made.serve("second")
    repeated = made.put_copy("repeated", 1, recorder)
    (repeated / RECORDS).write_bytes(record_file([predict_log(1), predict_log(2)]))
    made.serve("repeated")
    return made


@pytest.fixture(scope="session")
def reloading(configured: Repository) -> Iterator[Server]:
    """Looks at its config file every 0.2 s, and replays each recorded request three times."""
    configured.write_config()
    flags = (
        "--model_config_file=models.conf",
        "--model_config_file_poll_wait_seconds=0.2",
        "--num_request_iterations_for_warmup=3",
        "--file_system_poll_wait_seconds=0.1",
    )
    with serving(configured.root, *flags) as started:
        yield started
