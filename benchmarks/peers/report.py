"""Tables of the side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.peers.catalogue import BARE, GATEWAY
from benchmarks.peers.contest import Bout, Results
from benchmarks.report import spread, table

Table = tuple[Sequence[str], list[list[str]]]
"""Head and rows."""


def figures(results: Results, model: str, peers: Sequence[str], connections: int) -> Table:
    """A row a peer: medians over the rounds, ratios with their least and greatest."""
    head = (
        f"{model}, {connections} at once",
        f"/ {BARE.name}",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "server CPU ms/request",
        f"CPU / {BARE.name}",
        "errors",
    )
    rows = []
    for peer in peers:
        bouts = results.of(model, peer, connections)
        failed = results.failures.get((model, peer), "")
        if bouts:
            rows.append([peer, *_cells(bouts)])
        elif failed:
            rows.append([peer, "failed", *[""] * 6])
    return head, rows


def _cells(bouts: Sequence[Bout]) -> list[str]:
    def median(values: Sequence[float], digits: int) -> str:
        return f"{spread(values).median:,.{digits}f}"

    measured = [bout.measured for bout in bouts]
    return [
        spread([bout.ratio for bout in bouts]).show(),
        median([one.requests_per_second for one in measured], 0),
        median([one.p50_ms for one in measured], 2),
        median([one.p99_ms for one in measured], 2),
        median([one.server_cpu_ms for one in measured], 3),
        spread([bout.cpu_ratio for bout in bouts]).show(),
        str(sum(one.errors for one in measured)),
    ]


def lead(
    results: Results, models: Sequence[str], peers: Sequence[str], loads: Sequence[int]
) -> Table:
    """How many times a peer's requests a second the gateway answers, and how many times its
    processor time a request the peer takes; all first divided by the bare application's beside
    them."""
    others = [peer for peer in peers if peer != GATEWAY.name]
    rows = []
    for model in models:
        for connections in loads:
            cells = [_lead(results, model, peer, connections) for peer in others]
            rows.append([f"{model}, {connections} at once", *cells])
    return (f"{GATEWAY.name} is ahead, requests/s (CPU)", *others), rows


def _lead(results: Results, model: str, peer: str, connections: int) -> str:
    ours = results.of(model, GATEWAY.name, connections)
    theirs = results.of(model, peer, connections)
    if not (ours and theirs):
        return "-"
    faster = _median(ours, _ratio) / _median(theirs, _ratio)
    cheaper = _median(theirs, _cpu_ratio) / _median(ours, _cpu_ratio)
    return f"{faster:.2f} ({cheaper:.2f})"


def median_ratio(results: Results, model: str, peer: str, connections: int) -> float:
    """Requests a second by the bare application's; 0 when a peer was not measured."""
    bouts = results.of(model, peer, connections)
    return _median(bouts, _ratio) if bouts else 0.0


def _ratio(bout: Bout) -> float:
    return bout.ratio


def _cpu_ratio(bout: Bout) -> float:
    return bout.cpu_ratio


def _median(bouts: Sequence[Bout], figure: Callable[[Bout], float]) -> float:
    return spread([figure(bout) for bout in bouts]).median


def show(found: Table) -> str:
    """As text."""
    head, rows = found
    return table(head, rows)
