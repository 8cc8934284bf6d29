import io
import re
from pathlib import Path

import pytest

from weighin.plugin.github.connect import connect_repository
from weighin.plugin.github.credentials import choose_credentials
from weighin.plugin.github.simulator.__main__ import serve


def test_what_it_says_is_what_works(template: Path) -> None:
    out = io.StringIO()
    seen: list[bool] = []

    def look_in() -> None:
        said = out.getvalue()
        tokens = re.findall(r"WEIGHIN_GITHUB_TOKEN=(\S+)", said)
        api = re.findall(r'api = "(\S+)"', said)[0]
        for token in tokens:
            credentials = choose_credentials({"WEIGHIN_GITHUB_TOKEN": token}, api)
            found = connect_repository("me/models", api, credentials)
            assert found.branch("main") is not None
            seen.append(found.writes_checks)

    assert serve([str(template / "models.git")], out, look_in) == 0
    assert seen == [True, False]
    assert "GET    /repos/me/models/branches/main  200" in out.getvalue()


def test_a_folder_that_is_no_repository_is_named(tmp_path: Path) -> None:
    out = io.StringIO()

    def never() -> None:
        pytest.fail("it must not serve")

    assert serve([str(tmp_path)], out, never) == 2
    assert f"git init --bare {tmp_path}" in out.getvalue()
