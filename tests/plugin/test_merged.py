"""Which versions a merge brought: from paths that anybody can write."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.errors import ConfigError
from weighin.plugin.cli import main
from weighin.plugin.config_file import parse_config
from weighin.plugin.merged import versions_in
from weighin.plugin.project import Project, with_mlflow_of

REPORT = "weigh-in/report.json"


@pytest.mark.parametrize(
    ("paths", "versions"),
    [
        pytest.param([f"variants/digits/v3/{REPORT}"], [("digits", "3")], id="a report"),
        pytest.param(
            ["variants/digits/v3/weigh-in/waivers/0a.json"], [("digits", "3")], id="a waiver"
        ),
        pytest.param(
            ["variants/digits/v3/weigh-in/evidence/int8.tflite@host.json"],
            [("digits", "3")],
            id="evidence",
        ),
        pytest.param(
            [f"variants/digits/v{n}/{REPORT}" for n in (9, 10, 2)],
            [("digits", "10")],
            id="the newest by number",
        ),
        pytest.param(
            [f"variants/{name}/v1/{REPORT}" for name in ("b", "a")],
            [("a", "1"), ("b", "1")],
            id="several models",
        ),
        pytest.param(
            [f"variants/{name}/v1/{REPORT}" for name in ("ä b", "<script>", "new\nline")],
            [("<script>", "1"), ("new\nline", "1"), ("ä b", "1")],
            id="evil names",
        ),
        pytest.param(["variants/digits/v3/int8.tflite.dvc", "dvc.yaml"], [], id="pointers only"),
        pytest.param([f"variants/../v3/{REPORT}", f"variants/./v3/{REPORT}"], [], id="a way out"),
        pytest.param([f"x/variants/digits/v3/{REPORT}"], [], id="somewhere else"),
        pytest.param([f"variants/digits/v03/{REPORT}"], [], id="a number with a zero"),
        pytest.param([f"variants/digits/v0/{REPORT}"], [], id="no version"),
        pytest.param([f"variants/digits/v3x/{REPORT}"], [], id="no number"),
        pytest.param([f"variants/digits/v\u0663/{REPORT}"], [], id="a digit of another script"),
        pytest.param(["variants/digits/v3/weigh-in"], [], id="a link in place of the folder"),
        pytest.param([f"variants/a/b/v3/{REPORT}"], [], id="too deep"),
    ],
)
def test_the_versions_of_a_merge(paths: list[str], versions: list[tuple[str, str]]) -> None:
    assert list(versions_in(paths)) == versions


SOMEWHERE = Project(root=Path("/project"), config=parse_config({}))
PARTS = ("variants", "digits", "..", ".", "", "v3", "v10", "weigh-in", "report.json", "\n")


@given(paths=st.lists(st.lists(st.sampled_from(PARTS), max_size=7).map("/".join), max_size=4))
def test_law_no_path_names_a_folder_outside_of_variants(paths: list[str]) -> None:
    for name, version in versions_in(paths):
        folder = SOMEWHERE.committed(name, version)
        assert folder.is_relative_to("/project/variants")
        assert ".." not in folder.parts


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["promote"], id="neither"),
        pytest.param(["promote", "digits/1", "--merged", "a", "b"], id="both"),
    ],
)
def test_a_version_or_a_merge_is_needed(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == ConfigError.exit_code
    assert "either MODEL/VERSION or --merged" in capsys.readouterr().err


SERVER = "https://mlflow.example.com"


@pytest.mark.parametrize(
    ("document", "environ", "uris"),
    [
        pytest.param({}, {}, ("mlflow.db", "mlflow.db"), id="nothing said"),
        pytest.param(
            {}, {"MLFLOW_TRACKING_URI": SERVER}, (SERVER, SERVER), id="only in the environment"
        ),
        pytest.param(
            {},
            {"MLFLOW_TRACKING_URI": SERVER, "MLFLOW_REGISTRY_URI": f"{SERVER}/r"},
            (SERVER, f"{SERVER}/r"),
            id="both in the environment",
        ),
        pytest.param(
            {"mlflow": {"tracking_uri": "https://a.example", "registry_uri": "https://b.example"}},
            {"MLFLOW_TRACKING_URI": SERVER},
            ("https://a.example", "https://b.example"),
            id="the file counts more",
        ),
    ],
)
def test_mlflows_variables_count_where_the_file_says_nothing(
    document: dict[str, object], environ: dict[str, str], uris: tuple[str, str]
) -> None:
    project = Project(root=Path("/project"), config=parse_config(document))
    found = with_mlflow_of(project, environ)
    assert found.tracking_uri.endswith(uris[0])
    assert found.registry_uri.endswith(uris[1])
