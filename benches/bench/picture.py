"""A picture of a run: per row and size, each contender's median beside the floor's, on a logarithmic scale."""

import math
from html import escape

from .row import Figure, Row
from .table import duration

WIDTH, LABEL, BAR = 960, 330, 14
COLOUR = {"ours": "#2563eb", "floor": "#94a3b8", "peer": "#d97706"}


def draw(rows: list[Row], figures: list[Figure]) -> str:
    """An SVG document. Only the largest size of each row is drawn."""
    parts, y = [], 34
    for row in rows:
        size = max((f.size for f in figures if f.row == row.key and f.median), default=None)
        here = [f for f in figures if f.row == row.key and f.size == size and f.median]
        if not here:
            continue
        here.sort(key=lambda f: f.median)
        low = math.log10(here[0].median) - 0.3
        high = math.log10(here[-1].median)
        scale = (WIDTH - LABEL - 110) / max(high - low, 0.1)
        parts.append(f'<text x="8" y="{y}" class="t">{escape(row.work)}, {size:,} {escape(row.unit)}</text>')
        y += 8
        for f in here:
            long = max(2.0, (math.log10(f.median) - low) * scale)
            parts.append(
                f'<text x="{LABEL - 8}" y="{y + BAR - 3}" class="n">{escape(f.name)}</text>'
                f'<rect x="{LABEL}" y="{y}" width="{long:.1f}" height="{BAR - 2}" fill="{COLOUR[f.role]}"/>'
                f'<text x="{LABEL + long + 6:.1f}" y="{y + BAR - 3}" class="v">{duration(f.median)}</text>'
            )
            y += BAR + 2
        y += 26
    style = (
        "text{font:12px system-ui,sans-serif;fill:#1e293b}.t{font-weight:600}.n{text-anchor:end}"
        "@media(prefers-color-scheme:dark){text{fill:#e2e8f0}svg{background:#0f172a}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" '
        f'aria-label="Medians of a benchmark run, logarithmic scale"><style>{style}</style>'
        f'<text x="8" y="16">Median times, logarithmic scale. Blue: arpflux. Grey: floor. Orange: others.</text>'
        + "".join(parts)
        + "</svg>\n"
    )
