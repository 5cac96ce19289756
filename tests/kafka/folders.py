"""The folder of one run: of the tests, and of the benchmarks."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Iterator


@contextlib.contextmanager
def run_folder(cache: Path) -> Iterator[Path]:
    """For logs and Kafka's data: removed after a success, kept and named after a failure."""
    home = cache / f"run-{os.getpid()}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    try:
        yield home
    except BaseException:
        print(f"Logs and data are kept in {home}")
        raise
    shutil.rmtree(home, ignore_errors=True)
