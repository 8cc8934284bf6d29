import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.errors import GitHubError
from weighin.plugin.github.credentials import Kind, choose_credentials

GITHUB = "https://api.github.com"
ENTERPRISE = "https://git.corp.example/api/v3"


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        pytest.param("ghs_abc", Kind.INSTALLATION, id="installation"),
        pytest.param("v1.abc", Kind.INSTALLATION, id="old-installation"),
        pytest.param("ghp_abc", Kind.PERSONAL, id="classic"),
        pytest.param("github_pat_abc", Kind.PERSONAL, id="fine-grained"),
        pytest.param("ghu_abc", Kind.PERSONAL, id="person-through-an-app"),
        pytest.param("0123456789abcdef" * 2, Kind.PERSONAL, id="no-prefix"),
    ],
)
def test_a_tokens_beginning_tells_whether_it_writes_checks(token: str, kind: Kind) -> None:
    chosen = choose_credentials({"GITHUB_TOKEN": token}, GITHUB)
    assert chosen.kind is kind
    assert chosen.writes_checks is (kind is Kind.INSTALLATION)


@pytest.mark.parametrize(
    ("environment", "source"),
    [
        pytest.param({"GITHUB_TOKEN": "a", "GH_TOKEN": "b"}, "GH_TOKEN", id="gh-before-github"),
        pytest.param(
            {"GH_TOKEN": "b", "WEIGHIN_GITHUB_TOKEN": "c"}, "WEIGHIN_GITHUB_TOKEN", id="ours-first"
        ),
        pytest.param({"GITHUB_TOKEN": " ", "GH_TOKEN": "b"}, "GH_TOKEN", id="blank-is-unset"),
        pytest.param(
            {"WEIGHIN_GITHUB_APP_ID": "7", "WEIGHIN_GITHUB_APP_KEY": "k", "GITHUB_TOKEN": "a"},
            "WEIGHIN_GITHUB_APP_ID",
            id="app-before-tokens",
        ),
    ],
)
def test_the_most_deliberate_credentials_win(environment: dict[str, str], source: str) -> None:
    assert choose_credentials(environment, GITHUB).source == source


def test_a_workflows_comments_are_known_by_their_author() -> None:
    environment = {"GITHUB_TOKEN": "ghs_a", "GITHUB_ACTIONS": "true"}
    assert choose_credentials(environment, GITHUB).login == "github-actions[bot]"
    named = {**environment, "WEIGHIN_GITHUB_LOGIN": "weighin[bot]"}
    assert choose_credentials(named, GITHUB).login == "weighin[bot]"


@pytest.mark.parametrize(
    ("environment", "api"),
    [
        pytest.param({"GITHUB_TOKEN": "ghp_a"}, "https://evil.example/api/v3", id="other-host"),
        pytest.param({"GH_TOKEN": "ghp_a"}, "https://api.github.com.evil.example", id="look-alike"),
        pytest.param({"GH_TOKEN": "ghp_a"}, "https://api.github.com@evil.example", id="user-part"),
        pytest.param(
            {"GITHUB_TOKEN": "ghs_a", "GITHUB_API_URL": GITHUB, "GITHUB_ACTIONS": "true"},
            ENTERPRISE,
            id="workflow-of-another-server",
        ),
        pytest.param(
            {"GITHUB_TOKEN": "ghs_a", "GITHUB_API_URL": ENTERPRISE},
            GITHUB,
            id="enterprise-workflow",
        ),
    ],
)
def test_an_address_in_the_repository_cannot_lure_the_token_away(
    environment: dict[str, str], api: str
) -> None:
    with pytest.raises(GitHubError, match="is not sent to"):
        choose_credentials(environment, api)


@pytest.mark.parametrize(
    ("environment", "api"),
    [
        pytest.param({"GITHUB_TOKEN": "ghs_a", "GITHUB_API_URL": ENTERPRISE}, ENTERPRISE, id="own"),
        pytest.param({"WEIGHIN_GITHUB_TOKEN": "a"}, ENTERPRISE, id="ours"),
        pytest.param({"GH_ENTERPRISE_TOKEN": "a"}, ENTERPRISE, id="gh-enterprise"),
        pytest.param({"GH_TOKEN": "a"}, "https://api.octo.ghe.com", id="data-residency"),
    ],
)
def test_enterprise_gets_the_token_that_is_meant_for_it(
    environment: dict[str, str], api: str
) -> None:
    assert choose_credentials(environment, api).token


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        pytest.param({}, "There is no token", id="nothing"),
        pytest.param({"WEIGHIN_GITHUB_APP_ID": "7"}, "APP_KEY is not set", id="app-without-key"),
        pytest.param({"WEIGHIN_GITHUB_APP_KEY": "k"}, "APP_ID is not set", id="key-without-app"),
        pytest.param({"GITHUB_TOKEN": "a\nb"}, "no token", id="two-lines"),
    ],
)
def test_what_is_missing_is_named(environment: dict[str, str], says: str) -> None:
    with pytest.raises(GitHubError, match=says):
        choose_credentials(environment, GITHUB)


@given(secret=st.text("0123456789abcdef", min_size=20))
def test_no_secret_is_ever_shown(secret: str) -> None:
    environment = {"GITHUB_TOKEN": secret}
    assert secret not in repr(choose_credentials(environment, GITHUB))
    app = {"WEIGHIN_GITHUB_APP_ID": "7", "WEIGHIN_GITHUB_APP_KEY": secret}
    assert secret not in repr(choose_credentials(app, GITHUB))
    with pytest.raises(GitHubError) as refused:
        choose_credentials(environment, "https://evil.example")
    assert secret not in str(refused.value)
