"""A user's project with a finished weigh-in, in a clone of a bare repository."""

from pathlib import Path

import pytest
from review_home import Home, copy_of, make_home


@pytest.fixture(scope="session")
def home_origin(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def home(home_origin: Home, tmp_path: Path) -> Home:
    """A fresh copy."""
    return copy_of(home_origin, tmp_path)
