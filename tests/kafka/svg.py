"""The few pieces that charts are drawn from, in colours that can be read on light and on dark backgrounds."""

from html import escape

INK, GRID = "#7a828c", "#8a929c"
FONT = "font-family='system-ui, sans-serif' font-size='12'"


def text(x: float, y: float, what: str, *, anchor: str = "start", size: int = 12) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='{size}'>{escape(what)}</text>"


def step_for(highest: float, ticks_max: int) -> float:
    """The smallest round step that gets by with so many."""
    for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        if highest <= step * ticks_max:
            return step
    return highest


def head(width: int, height: int, title: str) -> str:
    return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}' "
            f"role='img' {FONT} fill='{INK}'>\n<title>{escape(title)}</title>")
