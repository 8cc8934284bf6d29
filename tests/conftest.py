"""What every room's tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real models and phone data kept beside the project; skipped, visibly, where they are not."""
    path = Path(__file__).parents[2] / "shared"
    if not (path / "models").is_dir():
        pytest.skip("no ../shared folder with real models beside this checkout")
    return path
