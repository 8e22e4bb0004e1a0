"""The side by side as a picture, and as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.peers.catalogue import BARE
from benchmarks.peers.contest import Results
from benchmarks.peers.report import Table, median_ratio

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #ccc; text-align: right }
th:first-child, td:first-child { text-align: left }
img { max-width: 100%; height: auto }
pre { background: #f4f4f4; padding: .75rem; overflow-x: auto }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #ddd } pre { background: #242424 } img { background: #fff }
}
"""


def draw(
    results: Results,
    models: Sequence[str],
    peers: Mapping[str, str],
    loads: Sequence[int],
    title: str,
    path: Path,
) -> bool:
    """Write a PNG of the ratios, ``peers`` being labels by name; False when matplotlib is not
    installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(9, 1 + 2.4 * len(models)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(models), 1, squeeze=False)[:, 0]
    height = 0.8 / len(loads)
    for axis, model in zip(axes, models, strict=True):
        for position, connections in enumerate(loads):
            ratios = [median_ratio(results, model, peer, connections) for peer in peers]
            places = [row + position * height for row in range(len(peers))]
            bars = axis.barh(places, ratios, height, label=f"{connections} connections")
            axis.bar_label(bars, [f" {ratio:.2f}" if ratio else " -" for ratio in ratios], size=7)
        axis.set_yticks([row + 0.4 - height / 2 for row in range(len(peers))], list(peers.values()))
        axis.invert_yaxis()
        axis.axvline(1.0, color="0.3", linewidth=0.8)
        axis.set_title(model, loc="left", size=10)
    axes[-1].set_xlabel(f"requests/s by those of {BARE.name}, which runs no model")
    axes[0].legend(fontsize=8, loc="lower right")
    figure.suptitle(title, size=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return True


def write_page(
    path: Path, title: str, head: Sequence[str], tables: Sequence[Table], picture: Path | None
) -> None:
    """Write the HTML; ``head`` says where and how it was measured."""
    parts = [f"<h1>{html.escape(title)}</h1>", f"<pre>{html.escape(chr(10).join(head))}</pre>"]
    if picture is not None:
        encoded = base64.b64encode(picture.read_bytes()).decode()
        parts.append(f'<img alt="ratios as bars" src="data:image/png;base64,{encoded}">')
    parts += [_as_html(*found) for found in tables]
    body = "\n".join(parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>{body}</body></html>\n"
    )


def _as_html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "\n".join(("<table>", line("th", head), *(line("td", row) for row in rows), "</table>"))
