"""Where results are written: target/bench, and docs if they are to be published."""

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Iterator

RESULTS = Path("target/bench")
DOCS = Path("docs")


def write(stem: str, data: dict, chart: str, publish: bool):
    """The same as JSON and, if there is one, as a chart."""
    for folder in [RESULTS, *([DOCS] if publish else [])]:
        (folder / f"{stem}.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
        if chart:
            (folder / f"{stem}.svg").write_text(chart)
        print(f"\n{folder / stem}.json{' and .svg are' if chart else ' is'} written", flush=True)


@contextlib.contextmanager
def home() -> Iterator[Path]:
    """For logs and Kafka's data: removed after a success, kept and named after a failure."""
    folder = RESULTS / f"run-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    except BaseException:
        print(f"Logs and data are kept in {folder}")
        raise
    shutil.rmtree(folder, ignore_errors=True)
