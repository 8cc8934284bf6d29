"""What the hook costs: the barest registration with it, over the same one without it.

`create_model_version` on SQLite is the worst case, because nothing else happens in it:
`log_model` takes seconds before it gets there.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from weighin.plugin.hook import open_store
from weighin.plugin.mlflow_store import connect
from weighin.plugin.outbox import pending

ROUNDS = 300
WARM_UP = 20


def registration_ratio(workdir: Path) -> tuple[float, str]:
    """Median time with the hook over median time without, in one process, interleaved.

    Args:
        workdir: An existing folder for the database and the outbox.

    Returns:
        The ratio, and how it came about.
    """
    outbox = workdir / "outbox.db"
    before = os.environ.get("WEIGHIN_OUTBOX")
    os.environ["WEIGHIN_OUTBOX"] = str(outbox)
    try:
        without, control, hooked = _times_ms(workdir / "ratio.db")
    finally:
        os.environ.pop("WEIGHIN_OUTBOX")
        if before is not None:
            os.environ["WEIGHIN_OUTBOX"] = before
    hints = len(pending(outbox))
    if hints != ROUNDS + WARM_UP:
        raise RuntimeError(f"{hints} hints for {ROUNDS + WARM_UP} registrations: nothing to time")
    low, same, high = (statistics.median(times) for times in (without, control, hooked))
    return high / low, (
        f"medians of {ROUNDS} interleaved rounds: {high:.2f} ms with, {low:.2f} ms without; "
        f"noise: without against itself {same / low:.3f}"
    )


def _times_ms(database: Path) -> tuple[list[float], list[float], list[float]]:
    """Without, without again (the noise floor), and with the hook; in rotating order."""
    plain = f"sqlite:///{database}"
    uris = (("without", plain), ("control", plain), ("with", f"weighin+{plain}"))
    registrars = [_registrar(uri, name) for name, uri in uris]
    times: tuple[list[float], list[float], list[float]] = ([], [], [])
    for number in range(ROUNDS + WARM_UP):
        for step in range(3):
            which = (number + step) % 3
            times[which].append(_timed_ms(registrars[which]))
    return times[0][WARM_UP:], times[1][WARM_UP:], times[2][WARM_UP:]


def _registrar(uri: str, name: str) -> Callable[[], Any]:
    from mlflow import MlflowClient
    from mlflow.tracking._model_registry import utils

    tracking_uri = uri.removeprefix("weighin+")
    connect(tracking_uri, uri)
    # As the entry point does; a benchmark must not depend on how weighin was installed.
    stores = utils._get_store_registry()  # pyright: ignore[reportPrivateUsage]
    stores.register("weighin+sqlite", open_store)
    client = MlflowClient(tracking_uri=tracking_uri, registry_uri=uri)
    client.create_registered_model(name)
    return lambda: client.create_model_version(name, "file:///model")


def _timed_ms(action: Callable[[], Any]) -> float:
    start = time.perf_counter_ns()
    action()
    return (time.perf_counter_ns() - start) / 1e6


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        value, how = registration_ratio(Path(folder))
    verdict = "ok" if value <= 1.05 else "short"
    print(f"figure: registration_ratio = {value:.3f} (goal <= 1.05) {verdict}  {how}")
    sys.exit(0)
