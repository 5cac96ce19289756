"""The table as an SVG: a bar for each producer's messages a second, and one for its CPU time a message.

A bar is the median, the line over its end reaches from the least to the most of the runs. A producer without figures
keeps its place, and has none.
"""

from typing import Callable

from figures import Outcome, Row, cpu, rate
from runner import Figures
from svg import GRID, INK, head, step_for, text

WIDTH, LEFT, RIGHT = 900, 250, 70
TOP, ROW_HEIGHT, BAR_HEIGHT, PANEL_GAP = 74, 24, 15, 66
TICKS_MAX = 8
OURS, LIMIT, OTHERS = "#3584e4", "#8a929c", "#b5722c"


def draw(title: str, subtitle: str, outcome: Outcome) -> str:
    rows = outcome.rows
    panel = len(rows) * ROW_HEIGHT
    height = TOP + 2 * panel + 2 * PANEL_GAP
    parts = [head(WIDTH, height, title), text(20, 24, title, size=15), text(20, 44, subtitle)]
    parts += bars("million messages a second", TOP, rows, lambda run: rate(run) / 1e6)
    parts += bars("CPU time of the producer a message, in ns", TOP + panel + PANEL_GAP, rows, cpu)
    return "\n".join([*parts, "</svg>"]) + "\n"


def bars(unit: str, top: int, rows: list[Row], of: Callable[[Figures], float]) -> list[str]:
    highest = max((of(run) for row in rows for run in row.whole), default=1)
    # In hundredths, for what is small; the axis reaches the first tick that nothing exceeds.
    step = step_for(highest, TICKS_MAX) if highest > TICKS_MAX / 10 else highest / TICKS_MAX
    ticks = [index * step for index in range(int(-(-highest // step)) + 1)]
    bottom = top + len(rows) * ROW_HEIGHT

    def x(value: float) -> float:
        return LEFT + value / ticks[-1] * (WIDTH - LEFT - RIGHT)

    parts = [text(LEFT, top - 6, unit)]
    for tick in ticks:
        parts.append(f"<path d='M{x(tick):.1f} {top}V{bottom}' stroke='{GRID}' stroke-opacity='0.35'/>")
        parts.append(text(x(tick), bottom + 16, f"{tick:g}", anchor="middle"))
    for index, row in enumerate(rows):
        middle = top + index * ROW_HEIGHT + ROW_HEIGHT / 2
        parts.append(text(LEFT - 8, middle + 4, row.label, anchor="end"))
        parts += bar(row, middle, x, of) if row.whole else [text(LEFT + 6, middle + 4, "could not be had here" if row.unavailable else "failed, see the notes")]
    return parts


def bar(row: Row, middle: float, x: Callable[[float], float], of: Callable[[Figures], float]) -> list[str]:
    values = [of(run) for run in row.whole]
    typical = row.median(of)
    colour = OTHERS if row.contestant.is_peer else LIMIT if row.contestant.slug == "limit" else OURS
    shown = f"{typical:.2f}" if typical < 100 else f"{typical:,.0f}"
    return [
        f"<rect x='{LEFT}' y='{middle - BAR_HEIGHT / 2:.1f}' width='{x(typical) - LEFT:.1f}' height='{BAR_HEIGHT}' "
        f"fill='{colour}' fill-opacity='0.85'/>",
        f"<path d='M{x(min(values)):.1f} {middle:.1f}H{x(max(values)):.1f}' stroke='{INK}' stroke-width='1.5'/>",
        text(x(max(values)) + 6, middle + 4, shown),
    ]
