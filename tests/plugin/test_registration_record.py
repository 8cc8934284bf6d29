"""A registration is identified by more than its name and number, and carries no secrets."""

from dataclasses import dataclass, field

import pytest

from weighin.plugin.event import is_weighable, registration_of, without_password


@dataclass
class StoredVersion:
    name: str = "digits"
    version: int | str = 3
    creation_timestamp: int = 1_766_400_000_000
    source: str = "models:/m-1"
    run_id: str | None = "r1"
    tags: dict[str, str] = field(default_factory=lambda: dict[str, str]())


def test_the_record_says_what_the_registry_said() -> None:
    stored = StoredVersion(tags={"weighin.plan": "p", "team": "vision"})
    registration = registration_of("sqlite:///mlflow.db", stored)
    assert registration.label == "digits/3"
    assert registration.identity == "digits/3@1766400000000"
    assert (registration.source, registration.run_id) == ("models:/m-1", "r1")
    assert registration.tags == (("weighin.plan", "p"),)
    assert registration.tag("weighin.plan") == "p"
    assert registration.tag("weighin.outcome") is None


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(StoredVersion(name="letters"), id="another-name"),
        pytest.param(StoredVersion(version=4), id="another-number"),
        pytest.param(StoredVersion(creation_timestamp=1_766_400_000_001), id="recreated"),
    ],
)
def test_another_version_has_another_key(other: StoredVersion) -> None:
    one = registration_of("sqlite:///mlflow.db", StoredVersion())
    two = registration_of("sqlite:///mlflow.db", other)
    assert one.key != two.key
    assert one.identity != two.identity


def test_number_and_text_are_the_same_version() -> None:
    as_number = registration_of("http://h", StoredVersion(version=3))
    assert as_number == registration_of("http://h", StoredVersion(version="3"))


def test_the_same_version_of_another_registry_has_another_key() -> None:
    one = registration_of("http://a", StoredVersion())
    assert one.key != registration_of("http://b", StoredVersion()).key


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:secret@db:5432/mlflow", "postgresql://db:5432/mlflow"),
        ("https://user:p@ss@host/path", "https://host/path"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("", ""),
    ],
)
def test_passwords_are_left_out(uri: str, shown: str) -> None:
    assert without_password(uri) == shown
    assert registration_of(uri, StoredVersion()).registry_uri == shown


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param({}, True, id="plain"),
        pytest.param({"weighin.plan": "p", "weighin.outcome": "passed"}, True, id="weighed"),
        pytest.param({"weighin.role": "variant"}, False, id="our-own-variant"),
        pytest.param({"mlflow.prompt.is_prompt": "true"}, False, id="prompt"),
        pytest.param({"mlflow.prompt.is_prompt": "false"}, True, id="no-prompt"),
    ],
)
def test_prompts_and_our_own_variants_are_not_weighed(tags: dict[str, str], expected: bool) -> None:
    assert is_weighable(tags) is expected
