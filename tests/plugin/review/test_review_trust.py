"""What a bundle's numbers are worth: every attack on it ends in numbers that nobody believes."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from review_home import Home
from review_samples import NOW, make_weigh_in

from weighin.gates.errors import EvidenceError, WeighinError
from weighin.gates.judge import Outcome
from weighin.plugin.config_file import load_config
from weighin.plugin.evidence_files import sign_all
from weighin.plugin.evidence_keys import trusted_keys
from weighin.plugin.planning import plan_for
from weighin.plugin.results import report_text
from weighin.plugin.review.bundle_files import read_weigh_in
from weighin.plugin.review.trust import Believed, Bundle, believe, foreign_to, judged_by
from weighin.registry.keys import create_dev_keys

DEVICES = {"host": "pass", "pixel-4": "fail"}


def read(home: Home, bundle: Bundle, days: int = 1) -> Believed:
    return believe(bundle, trusted_keys(home.project), NOW + timedelta(days=days))


def edited(bundle: Bundle, change: Callable[[dict[str, object]], object]) -> Bundle:
    document = json.loads(bundle.report)
    change(document)
    return replace(bundle, report=json.dumps(document).encode())


def without_first(bundle: Bundle) -> Bundle:
    return replace(bundle, envelopes=dict(sorted(bundle.envelopes.items())[1:]))


def swapped(bundle: Bundle) -> Bundle:
    """One statement under both names."""
    content = next(iter(bundle.envelopes.values()))
    return replace(bundle, envelopes=dict.fromkeys(bundle.envelopes, content))


def scratched(bundle: Bundle) -> Bundle:
    name, content = next(iter(bundle.envelopes.items()))
    spoilt = content.replace(b'"sig": "', b'"sig": "00', 1)
    return replace(bundle, envelopes={**bundle.envelopes, name: spoilt})


def test_what_a_trusted_key_signed_is_believed(home: Home) -> None:
    kept = home.keep(make_weigh_in(DEVICES))
    believed = read(home, home.bundle())
    assert believed.objections == ()
    assert believed.weigh_in == kept
    assert len(believed.statements) == 2


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        pytest.param(
            lambda b: edited(b, lambda d: d.update(reference_accuracy=0.99)),
            "was signed with another report",
            id="report-edited",
        ),
        pytest.param(without_first, "no trusted statement about", id="statement-left-out"),
        pytest.param(lambda b: replace(b, envelopes={}), "no trusted statement", id="none"),
        pytest.param(swapped, "no trusted statement about", id="one-statement-for-all"),
        pytest.param(scratched, "", id="bad-signature"),
        pytest.param(
            lambda b: replace(b, envelopes={**b.envelopes, "x.json": b"[" * 5000}),
            "x.json: evidence is not a DSSE envelope",
            id="deep-json",
        ),
    ],
)
def test_an_attack_on_a_bundle_takes_all_of_its_credit(
    home: Home, attack: Callable[[Bundle], Bundle], reason: str
) -> None:
    home.keep(make_weigh_in(DEVICES))
    believed = read(home, attack(home.bundle()))
    assert believed.objections
    assert reason in believed.untrusted


def test_a_strangers_key_is_not_trusted(home: Home, tmp_path: Path) -> None:
    shutil.rmtree(home.project.keys)
    create_dev_keys(home.project.keys)
    home.keep(make_weigh_in(DEVICES))
    assert "a key that is not trusted" in read(home, home.bundle()).untrusted


def test_what_expired_is_not_believed(home: Home) -> None:
    home.keep(make_weigh_in(DEVICES))
    assert "expired on" in read(home, home.bundle(), days=31).untrusted


def test_statements_of_another_version_vouch_for_nothing(home: Home) -> None:
    home.keep(make_weigh_in(DEVICES))
    bundle = home.bundle()
    other = replace(make_weigh_in(DEVICES), version="4")
    forged = replace(bundle, report=report_text(other).encode())
    assert "speaks of digits/3" in read(home, forged).untrusted


def test_many_objections_are_one_short_line(home: Home) -> None:
    home.keep(make_weigh_in({f"host{n}": "pass" for n in range(9)}))
    bundle = home.bundle()
    believed = read(home, replace(bundle, envelopes=dict.fromkeys(bundle.envelopes, b"{}")))
    assert believed.untrusted.endswith("and 7 more")


@pytest.mark.parametrize("report", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"schema": 1}', b"NaN"])
def test_a_report_that_is_none_is_refused(home: Home, report: bytes) -> None:
    with pytest.raises(WeighinError):
        read(home, Bundle(report=report, envelopes={}))


def test_the_base_branchs_budgets_judge_not_the_reports_own(home: Home) -> None:
    home.keep(make_weigh_in(DEVICES))
    believed = read(home, home.bundle())
    path = home.root / "weighin.toml"
    path.write_text(path.read_text().replace("latency_p90_ms = 10.0", "latency_p90_ms = 5.0"))
    judged = judged_by(believed, load_config(path), None, NOW)
    assert believed.weigh_in.may_ship
    assert not judged.may_ship
    assert {v.outcome for r in judged.results for v in r.verdicts} == {Outcome.FAIL}


def test_a_budget_that_the_report_did_not_have_is_held_against_what_is_known(home: Home) -> None:
    home.keep(make_weigh_in(DEVICES))
    path = home.root / "weighin.toml"
    path.write_text(path.read_text() + "[models.digits.budgets.host]\nenergy_mj = 5\n")
    judged = judged_by(read(home, home.bundle()), load_config(path), None, NOW)
    (verdict, _) = judged.results[0].verdicts
    assert verdict.outcome is Outcome.UNDECIDED
    assert "not measured" in verdict.reason


def test_devices_that_the_base_branch_does_not_ask_for_do_not_count(home: Home) -> None:
    home.keep(make_weigh_in({"pixel-6": "pass"}))
    believed = read(home, home.bundle())
    judged = judged_by(believed, home.project.config, None, NOW)
    assert judged.devices == ("host", "pixel-4")
    assert not judged.may_ship


def test_a_model_that_the_base_branch_does_not_know_passes_nothing(home: Home) -> None:
    home.keep(make_weigh_in({"host": "pass"}, model="new"))
    believed = read(home, home.bundle("new"))
    judged = judged_by(believed, home.project.config, None, NOW)
    assert (judged.devices, judged.may_ship) == ((), False)
    assert "describes no model 'new'" in foreign_to(believed, home.project.config, ())[0]


def test_other_data_or_another_metric_make_a_number_mean_something_else(home: Home) -> None:
    weigh_in = home.keep(make_weigh_in(DEVICES))
    project = home.project
    data = plan_for(project, "digits").data
    believed = read(home, home.bundle())
    assert foreign_to(believed, project.config, data) == ()
    easy = tuple(replace(one, sha256="0" * 64) for one in data)
    assert "another evaluation" in foreign_to(believed, project.config, easy)[0]
    assert "another evaluation" in foreign_to(believed, project.config, ())[0]
    odd = replace(believed, weigh_in=replace(weigh_in, quality_metric="top5_accuracy"))
    assert "judged by top5_accuracy" in foreign_to(odd, project.config, data)[0]


def test_a_folder_of_a_bundle_is_read_with_bounds(home: Home, tmp_path: Path) -> None:
    home.keep(make_weigh_in(DEVICES))
    folder = home.project.results("digits", "3")
    assert read_weigh_in(folder) == home.bundle()
    (folder / "evidence" / "link.json").symlink_to("/etc/passwd")
    with pytest.raises(EvidenceError, match=r"link\.json cannot be read: .*symbolic links"):
        read_weigh_in(folder)
    with pytest.raises(EvidenceError, match=r"report\.json cannot be read: No such file"):
        read_weigh_in(tmp_path / "nothing")
    (folder / "evidence" / "link.json").unlink()
    with (folder / "report.json").open("wb") as file:
        file.truncate(33_000_000)
    with pytest.raises(EvidenceError, match=r"report\.json is larger than"):
        read_weigh_in(folder)
    shutil.rmtree(folder / "evidence")
    (folder / "evidence").symlink_to(home.root)
    with pytest.raises(EvidenceError, match="is a link"):
        read_weigh_in(folder)


def test_what_is_signed_is_what_is_read(home: Home) -> None:
    weigh_in = home.keep(make_weigh_in(DEVICES))
    assert set(home.bundle().envelopes) == set(sign_all(home.project, weigh_in))
