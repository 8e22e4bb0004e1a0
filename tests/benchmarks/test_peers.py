"""The side by side: who is left out, what is counted, what is written."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.comparison import Measurement
from benchmarks.peers.__main__ import parse
from benchmarks.peers.catalogue import BARE, GATEWAY, PEERS, Peer
from benchmarks.peers.contest import Bout, Plan, Results, run_model
from benchmarks.peers.report import figures, lead, show
from benchmarks.peers.wires import PREDICTIONS
from benchmarks.servers import ROOT, bare_server
from benchmarks.zoo.catalogue import Exported
from tests.benchmarks.helpers import run_module

INSTALL = ROOT / "benchmarks" / "peers" / "install"
ONCE = Plan((2,), 1, 0.05, "own", frozenset(), frozenset())


def measurement(server: str, per_second: float, errors: int = 0) -> Measurement:
    return Measurement(
        load="closed, 2 at once",
        server=server,
        round=0,
        requests_per_second=per_second,
        p50_ms=1.0,
        p90_ms=2.0,
        p99_ms=3.0,
        p999_ms=4.0,
        server_cpu_ms=0.1,
        client_busy=0.1,
        late_p99_ms=float("nan"),
        loop_speed=10.0,
        requests=100,
        errors=errors,
        faults={},
    )


def bout(peer: str, per_second: float, reference: float, number: int = 0) -> Bout:
    measured, bare = measurement(peer, per_second), measurement(BARE.name, reference)
    return Bout("mlp", peer, 2, number, measured, bare)


def test_the_gateway_is_compared_by_what_ran_beside_each() -> None:
    # The machine was twice as fast when the other was measured: by the references they are equal.
    results = Results([bout(GATEWAY.name, 100, 50), bout("mosec", 200, 100)])
    _, ((_, ratio),) = lead(results, ["mlp"], [GATEWAY.name, "mosec"], [2])
    assert ratio == "1.00 (1.00)"


def test_medians_failures_and_the_absent() -> None:
    results = Results([bout("mosec", speed, 100, n) for n, speed in enumerate((100, 300, 200))])
    results.failures["mlp", "ray"] = "wrong"
    text = show(figures(results, "mlp", ["mosec", "ray", "bentoml"], 2))
    assert "2.00 (1.00-3.00)" in text
    assert "failed" in text
    assert "bentoml" not in text


def test_a_peer_that_answers_wrong_is_not_timed(zoo: dict[str, Exported]) -> None:
    def wrong(peer: Peer, exported: Exported, folder: Path) -> object:
        return bare_server(0.0)

    liar = Peer("liar", PREDICTIONS, wrong)  # type: ignore[arg-type]
    results = Results()
    run_model(zoo["half_plus_two"], [liar], ONCE, results)
    assert not results.bouts
    assert "wrong" in results.failures["half_plus_two", "liar"]


def test_the_reference_is_measured_beside_every_bout(zoo: dict[str, Exported]) -> None:
    honest = Peer("honest", PREDICTIONS, lambda *_: bare_server())
    results = Results()
    run_model(zoo["half_plus_two"], [honest], ONCE, results)
    (found,) = results.bouts
    assert found.measured.errors == found.reference.errors == 0
    assert found.reference.server == "bare"
    assert found.ratio > 0


@pytest.mark.slow
def test_the_command_leaves_out_who_is_not_installed(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEERS_DIR", str(tmp_path))
    files = [tmp_path / f"peers.{kind}" for kind in ("json", "png", "html")]
    done = run_module(
        "benchmarks.peers",
        *("--quick", "--peers=tensorgate,aiohttp + thread,mosec", "--models=half_plus_two"),
        f"--models-dir={models_dir}",
        *(f"--{file.suffix[1:]}={file}" for file in files),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mosec: not installed, left out (benchmarks/peers/install mosec)" in done.stdout
    measured = json.loads(files[0].read_text())["results"]
    assert {one["peer"] for one in measured} == {"tensorgate", "aiohttp + thread"}
    assert files[1].read_bytes().startswith(b"\x89PNG")
    page = files[2].read_text()
    assert "data:image/png;base64," in page
    assert "commit" in page
    assert "http://" not in page.partition("<body>")[2]


@pytest.mark.parametrize("arguments", [[], ["nobody"]])
def test_the_installer_says_whom_it_knows(arguments: list[str], tmp_path: Path) -> None:
    environment = os.environ | {"PEERS_DIR": str(tmp_path)}
    done = subprocess.run(
        [INSTALL, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "mosec" in done.stderr
    assert not list(tmp_path.iterdir())


def test_everybody_with_an_environment_can_be_installed() -> None:
    listed = {path.stem for path in (INSTALL.parent / "requirements").glob("*.txt")}
    assert listed == {name for name, peer in PEERS.items() if peer.package}


def test_unknown_names_are_refused() -> None:
    with pytest.raises(SystemExit):
        parse(["--peers=tensorgate,nobody"])
