"""The table that people read, and the verdict on each figure to reach."""

from .row import Figure, Row, growth


def duration(ns: float | None) -> str:
    """Three digits and a unit."""
    if ns is None:
        return "-"
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= factor:
            return f"{ns / factor:.3g} {unit}" if ns < 1000 * factor else f"{ns / factor:.0f} {unit}"
    return f"{ns:.3g} ns"


def verdict(row: Row, figures: list[Figure]) -> tuple[str, bool | None]:
    """What was to be reached, said, and whether it was. None: it cannot be told from this run."""
    size = row.reach_size or row.sizes[-1]
    at_size = {f.name: f for f in figures if f.size == size}
    ours = next((f for f in at_size.values() if f.role == "ours"), None)
    reach = row.reach
    if reach.kib is not None:
        said = f"{reach.kib / 1024:g} MiB"
        got = ours.max_rss_kib if ours and not ours.void else None
        return said, None if got is None else got <= reach.kib
    if reach.power is not None:
        power = growth(figures, ours.name) if ours and not ours.void else None
        return f"n^{reach.power:g}", None if power is None else power <= reach.power
    got = ours.median if ours else None
    if reach.ns is not None:
        return duration(reach.ns), None if got is None else got <= reach.ns
    other = next((f for f in at_size.values() if reach.of in (f.name, f.role)), None)
    said = f"{reach.times:g}x {reach.of}"
    if got is None or other is None or other.median is None:
        return said, None
    return said, got <= reach.times * other.median


def render(row: Row, figures: list[Figure]) -> str:
    """A row of the table with all its sizes and contenders, as Markdown."""
    said, reached = verdict(row, figures)
    word = {True: "reached", False: "NOT reached", None: "not decided"}[reached]
    size = row.reach_size or row.sizes[-1]
    lines = [
        f"### {row.work}",
        "",
        f"`{row.key}`, {'CPU' if row.measure == 'cpu' else 'wall'} time; to reach at {size:,}: {said}: **{word}**."
        + (f" {row.note}" if row.note else ""),
        "",
        f"| {row.unit} | who | min | median | max | to floor | to ours | grows as n^ |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for at, size in enumerate(row.sizes):
        here = [f for f in figures if f.size == size]
        floor = next((f.median for f in here if f.role == "floor"), None)
        ours = next((f.median for f in here if f.role == "ours"), None)
        for f in here:
            if f.void:
                lines.append(f"| {size:,} | {f.name} | | | | | | void: {f.void} |")
                continue
            power = growth(figures, f.name) if at == len(row.sizes) - 1 else None
            lines.append(
                f"| {size:,} | {'**' + f.name + '**' if f.role == 'ours' else f.name} "
                f"| {duration(min(f.ns))} | {duration(f.median)} | {duration(max(f.ns))} "
                f"| {ratio(f.median, floor)} | {ratio(f.median, ours)} "
                f"| {'' if power is None else format(power, '.2f')} |"
            )
    memory = row.reach.kib is not None or row.reach.power is not None
    if memory and any(f.max_rss_kib for f in figures):
        lines += ["", "Largest resident memory: " + ", ".join(
            f"{f.name} at {f.size:,}: {f.max_rss_kib / 1024:.1f} MiB" for f in figures if f.max_rss_kib
        ) + "."]
    return "\n".join(lines) + "\n"


def ratio(one: float | None, other: float | None) -> str:
    """How many times as long."""
    return f"{one / other:.2f}" if one and other else ""
