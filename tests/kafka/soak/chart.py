"""Memory and threads over time, as an SVG that can be read on light and on dark backgrounds."""

from html import escape
from itertools import pairwise

from soak.judgement import Struck
from soak.sampler import Sample
from svg import GRID, head, step_for, text

WIDTH, LEFT, RIGHT = 900, 64, 20
MEMORY_TOP, MEMORY_HEIGHT = 64, 230
THREADS_TOP, THREADS_HEIGHT = 336, 56
HEIGHT = 448
TICKS_MAX = 6
BAND_WIDTH_MIN = 1.5
MEMORY, THREADS = "#3584e4", "#b5722c"
COLOURS = ("#d9485f", "#c98a1b", "#7a6ff0", "#2a9d6f", "#2a93b8")


def draw(samples: list[Sample], struck: list[Struck]) -> str:
    """Fewer than two samples make an empty chart."""
    minutes = max([sample.seconds for sample in samples] or [60]) / 60
    memory = Axis(max([sample.peak_mib for sample in samples] or [1]), MEMORY_TOP, MEMORY_HEIGHT)
    threads = Axis(max([sample.threads for sample in samples] or [1]), THREADS_TOP, THREADS_HEIGHT, ticks_max=2)

    def x(seconds: float) -> float:
        return LEFT + seconds / 60 / minutes * (WIDTH - LEFT - RIGHT)

    kinds = list(dict.fromkeys((each.slug, each.name) for each in struck))
    colour = {slug: COLOURS[index % len(COLOURS)] for index, (slug, _) in enumerate(kinds)}
    parts = [
        head(WIDTH, HEIGHT, "Memory and threads of the producer during the soak"),
        text(LEFT, 22, "Memory of the producer (resident set) while a fault strikes each minute", size=15),
        legend(kinds, colour),
    ]
    for each in struck:
        parts += [f"<rect x='{x(begin):.1f}' y='{axis.top}' width='{max(x(end) - x(begin), BAND_WIDTH_MIN):.1f}' "
                  f"height='{axis.height}' fill='{colour[each.slug]}' fill-opacity='0.3'/>"
                  for begin, end in each.strikes for axis in (memory, threads)]
    parts += memory.grid("MiB") + threads.grid("threads")
    parts += [f"<polyline fill='none' stroke='{stroke}' stroke-width='{width}' stroke-linejoin='round' "
              f"points='{points}'/>" for stroke, width, points in (
                  (MEMORY, 2, line((x(each.seconds), memory.y(each.rss_mib)) for each in samples)),
                  (THREADS, 1.5, line(steps((x(each.seconds), threads.y(each.threads)) for each in samples))))]
    bottom = THREADS_TOP + THREADS_HEIGHT
    for minute in ticks(minutes, 10):
        at = x(minute * 60)
        parts.append(f"<path d='M{at:.1f} {bottom}v5' stroke='{GRID}'/>")
        parts.append(text(at, bottom + 20, f"{minute:g}", anchor="middle"))
    parts.append(text(LEFT + (WIDTH - LEFT - RIGHT) / 2, bottom + 40, "minutes", anchor="middle"))
    return "\n".join([*parts, "</svg>"]) + "\n"


class Axis:
    """Upwards from zero."""

    def __init__(self, highest: float, top: int, height: int, ticks_max: int = TICKS_MAX):
        self.top, self.height = top, height
        step = step_for(highest, ticks_max)
        count = max(1, -(-highest // step))
        self.ticks = [index * step for index in range(int(count) + 1)]

    def y(self, value: float) -> float:
        return self.top + self.height * (1 - value / self.ticks[-1])

    def grid(self, unit: str) -> list[str]:
        lines = [f"<path d='M{LEFT} {self.y(tick):.1f}H{WIDTH - RIGHT}' stroke='{GRID}' stroke-opacity='0.35'/>"
                 for tick in self.ticks]
        labels = [text(LEFT - 8, self.y(tick) + 4, f"{tick:g}", anchor="end") for tick in self.ticks]
        return [*lines, *labels, text(LEFT - 8, self.top - 10, unit, anchor="end")]


def ticks(end: float, ticks_max: int) -> list[float]:
    step = step_for(end, ticks_max)
    return [index * step for index in range(int(end // step) + 1)]


def legend(kinds: list[tuple[str, str]], colour: dict[str, str]) -> str:
    spans = "".join(f"<tspan fill='{colour[slug]}'>■ </tspan><tspan>{escape(name)}   </tspan>"
                    for slug, name in kinds)
    return f"<text x='{LEFT}' y='42' xml:space='preserve'>{spans}</text>"


def steps(points):
    """The corners of a line that stays where it is until the next point."""
    points = list(points)
    for (x, y), (next_x, _) in pairwise(points):
        yield x, y
        yield next_x, y
    yield from points[-1:]


def line(points) -> str:
    """Points in the middle of a level stretch are left out."""
    kept: list[tuple[str, str]] = []
    for x, y in points:
        point = f"{x:.1f}", f"{y:.1f}"
        if len(kept) >= 2 and kept[-1][1] == kept[-2][1] == point[1]:
            kept.pop()
        kept.append(point)
    return " ".join(",".join(point) for point in kept)
