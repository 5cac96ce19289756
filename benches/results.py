"""Where results are written: target/bench, and docs if they are to be published."""

import json
from contextlib import AbstractContextManager
from pathlib import Path

from folders import run_folder

RESULTS = Path("target/bench")
DOCS = Path("docs")


def write(stem: str, data: dict, chart: str, publish: bool):
    """The same as JSON and, if there is one, as a chart."""
    for folder in [RESULTS, *([DOCS] if publish else [])]:
        (folder / f"{stem}.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
        if chart:
            (folder / f"{stem}.svg").write_text(chart)
        print(f"\n{folder / stem}.json{' and .svg are' if chart else ' is'} written", flush=True)


def home() -> AbstractContextManager[Path]:
    """The folder of one run, for logs and Kafka's data."""
    return run_folder(RESULTS)
