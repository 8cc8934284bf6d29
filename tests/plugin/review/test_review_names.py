"""Names of branches and checks, whatever a model is called."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.plugin.review.names import branch_name, device_check, is_model_check, model_check

STRANGE = [
    "<script>alert(1)</script>", "a|b", "`rm -rf /`", "💥", "\u202egnp", "a b", "..", ".", "x.lock",
    "a..b", "-x", "@{-1}", "HEAD", "", "a/b", "x" * 300, "a\nb", "a~1", "a^", "a:b", "ends.",
]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "branch"),
    [
        pytest.param("digits", "weighin/digits/v3", id="plain"),
        pytest.param("ResNet-20_v2.1", "weighin/ResNet-20_v2.1/v3", id="usual"),
        pytest.param("my model", "weighin/my-model-76eeb051/v3", id="blank"),
    ],
)
def test_usual_names_stay_readable(model: str, branch: str) -> None:
    assert branch_name(model, "3") == branch


def test_git_accepts_every_branch_name_and_none_is_another() -> None:
    names = [branch_name(model, "3") for model in STRANGE]
    assert len(set(names)) == len(STRANGE)
    for name in names:
        done = subprocess.run(["git", "check-ref-format", "--branch", name], check=False)
        assert done.returncode == 0, name


@given(st.text(), st.text())
def test_different_models_never_share_a_branch_or_a_check(one: str, other: str) -> None:
    if one != other:
        assert branch_name(one, "1") != branch_name(other, "1")
        assert model_check(one) != model_check(other)


@given(st.text(), st.text())
def test_a_check_of_a_model_is_told_from_a_check_of_a_device(model: str, device: str) -> None:
    assert is_model_check(model_check(model))
    assert not is_model_check(device_check(model, device))
    assert not is_model_check("weighin")
    assert "\n" not in device_check(model, device)
