# ruff: noqa: E501 - a table reads better in one line per row
"""weighin.toml: what works, and one clear line per mistake."""

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from weighin.gates.errors import ConfigError
from weighin.gates.metric import Budget, Metric, Origin
from weighin.plugin.config import Config
from weighin.plugin.config_file import find_root, load_config, parse_config

MODEL = """
[models.digits]
evaluation = "e.npz"
calibration = "c.npz"
recipes = ["float32", "int8"]
"""


def parse(text: str) -> Config:
    return parse_config(tomllib.loads(text))


def test_the_template_that_init_writes_is_valid() -> None:
    template = files("weighin.plugin").joinpath("templates/weighin.toml").read_text()
    assert parse(template).channel.name == "dev"


def test_the_commented_example_of_the_template_is_valid_too() -> None:
    template = files("weighin.plugin").joinpath("templates/weighin.toml").read_text()
    lines = template.split("# [models.my-model]")[1].splitlines()
    example = "\n".join(["[models.my-model]", *(line.removeprefix("# ") for line in lines)])
    assert parse(example).models["my-model"].devices == ("host", "pixel-4")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(MODEL + "recipies = []", "models.digits.recipies: unknown key (did you mean 'recipes'?); allowed: evaluation,", id="unknown-key-in-model"),
        pytest.param(MODEL + "inferences_per_hour = 7200", "models.digits.inferences_per_hour: is now written [models.digits.usage] inferences_per_second = 2", id="rate-of-use-as-it-was"),
        pytest.param(MODEL + "usage = { minutes_per_day = 30 }", "models.digits.usage.inferences_per_second: is missing, and must be set", id="use-without-rate"),
        pytest.param(MODEL + "usage = { inferences_per_second = 2, minutes_per_day = 1441 }", "models.digits.usage.minutes_per_day: input should be less than or equal to 1440, not 1441", id="longer-than-a-day"),
        pytest.param(MODEL + "usage = { inferences_per_second = 0 }", "models.digits.usage.inferences_per_second: input should be greater than 0, not 0", id="never-used"),
        pytest.param(MODEL + "usage = { inferences_per_second = 2, minutes_pr_day = 2 }", "models.digits.usage.minutes_pr_day: unknown key (did you mean 'minutes_per_day'?)", id="unknown-key-of-use"),
        pytest.param("[chanel]\nname='x'", "chanel: unknown key (did you mean 'channel'?)", id="unknown-table"),
        pytest.param("[build]\nworkers = 'two'", "build.workers: input should be a valid integer, not 'two'", id="wrong-type"),
        pytest.param("[build]\nworkers = 0", "build.workers: input should be greater than or equal to 1, not 0", id="out-of-range"),
        pytest.param("[budgets.default]\nlatency = 10", "budgets.default.latency: unknown budget (the unit is part of the name) (did you mean 'latency_p90_ms'?)", id="budget-without-unit"),
        pytest.param("[budgets.default]\nsize_mib = nan", "budgets.default.size_mib: must be a finite number or {", id="nan-budget"),
        pytest.param("[budgets.default]\nsize_mib = inf", "budgets.default.size_mib: must be a finite number or {", id="infinite-budget"),
        pytest.param("[budgets.default]\nsize_mib = '5'", "budgets.default.size_mib: ", id="budget-as-text"),
        pytest.param("[budgets.default]\nsize_mib = { at_most = 3, least = 'device' }", "size_mib: must be a finite number or { at_most = NUMBER, least_origin = 'predicted' }", id="budget-table-wrong"),
        pytest.param("[budgets.default]\nsize_mib = { at_most = 3, least_origin = 'scaled' }", "'scaled' numbers can never pass", id="scaled-may-never-pass"),
        pytest.param("[budgets.default]\nsize_mib = { at_most = 3, least_origin = 'guessed' }", "least_origin: unknown 'guessed'; allowed: artifact, device", id="unknown-origin"),
        pytest.param("[budgets.default]\nlatency_vs_release_percent = 10", "latency_vs_release_percent: needs a floor above zero", id="growth-without-floor"),
        pytest.param("[budgets.default]\nslice_drop_points = { at_most = 3, least_rows = 2.5 }", "least_rows: must be a whole number, not 2.5", id="half-a-row"),
        pytest.param(MODEL + "metric = 'acuracy'", "models.digits.metric 'acuracy': unknown (did you mean 'accuracy'?)", id="unknown-metric"),
        pytest.param(MODEL + "metric = { name = 'own:f', reeds = 'x' }", "models.digits.metric.reeds: unknown key (did you mean 'reads'?)", id="unknown-key-of-a-metric"),
        pytest.param(MODEL + "metric = { name = 'own:f', reads = 'x' }", "reads must be one of classes, scores, values", id="unknown-reading"),
        pytest.param(MODEL.replace("int8", "mixed") + "metric = 'mae'", "'mixed' needs classes, but mae judges numbers", id="numbers-cannot-be-pruned"),
        pytest.param(MODEL + "metric = 'mae'\nslices = ['label']", "'label' is no slice where labels are numbers", id="numbers-are-no-slices"),
        pytest.param(MODEL + "slices = ['a', 'a']", "slices: names a column twice", id="slice-twice"),
        pytest.param("[channel]\nname = { a = 1 }", "channel.name: input should be a valid string", id="table-for-a-text"),
        pytest.param("[gate]\nconfidence = 1.2", "gate.confidence: input should be less than 1, not 1.2", id="too-sure"),
        pytest.param("[gate]\nsequentail = true", "gate.sequentail: unknown key (did you mean 'sequential'?)", id="unknown-key-of-the-gate"),
        pytest.param("[budgets.pixel-99]\nsize_mib = 3", "budgets.pixel-99: unknown name 'pixel-99'", id="unknown-device-in-budgets"),
        pytest.param(MODEL + "devices = ['pixle-4']", "models.digits.devices: unknown name 'pixle-4' (did you mean 'pixel-4'?); allowed: ", id="unknown-device"),
        pytest.param(MODEL + "formats = ['tflite']", "models.digits.formats: unknown name 'tflite' (did you mean 'litert'?); allowed: litert, onnx", id="unknown-format"),
        pytest.param(MODEL + "preprocessing = { men = [1.0] }", "models.digits.preprocessing.men: unknown key (did you mean 'mean'?)", id="unknown-preprocessing"),
        pytest.param(MODEL + "preprocessing = { std = [0.0] }", "models.digits.preprocessing.std: must not be 0", id="division-by-zero"),
        pytest.param(MODEL + "preprocessing = { mean = [1.0, 2.0], std = [1.0, 1.0, 1.0] }", "models.digits.preprocessing: mean and std", id="two-means-three-stds"),
        pytest.param(MODEL + "labels = ['a']\nclasses = 2", "models.digits.labels: are 1 for 2 classes", id="labels-and-classes"),
        pytest.param(MODEL + "labels = ['a']\nlabels_file = 'l.txt'", "models.digits.labels_file: must not be set beside labels", id="labels-twice"),
        pytest.param(MODEL + "devices = []", "models.digits.devices: must not be empty", id="no-devices"),
        pytest.param(MODEL.replace("int8", "int9"), "models.digits.recipes: ", id="unknown-recipe"),
        pytest.param(MODEL.replace('"int8"', '"prune50"'), "'prune50' needs training data; set models.digits.training", id="pruning-without-training-data"),
        pytest.param("[models.digits]\nevaluation = 'e.npz'", "models.digits.calibration: is missing", id="missing-key"),
        pytest.param(MODEL.replace('"int8"', '"student"') + "training = 't.npz'", "'student' needs a model; set models.digits.student", id="student-without-a-model"),
        pytest.param(MODEL + "[build]\naugment = 'turn'", "build.augment: ", id="unknown-augmentation"),
        pytest.param(MODEL + "[build]\nsoft_weight = 1.5", "build.soft_weight: ", id="share-above-one"),
        pytest.param(MODEL + "teacher = 'big'", "models.digits.teacher: ", id="teacher-without-version"),
        pytest.param("[search]\nminutes = -1", "search.minutes: input should be greater than or equal to 0, not -1", id="search-of-negative-time"),
        pytest.param("[search]\nminutes = nan", "search.minutes: ", id="search-of-no-number"),
        pytest.param("[search]\nwinners = 0", "search.winners: ", id="search-without-winners"),
        pytest.param(MODEL.replace("int8", "automatic"), "models.digits.recipes: recipe 'automatic'", id="almost-auto"),
        pytest.param("[fleet]\nat_least_percent = 90", "fleet.at_least_percent: needs fleet.file", id="budget-on-unknown-users"),
        pytest.param("[fleet]\nfile = 'f.toml'\nat_least_percent = 0", "fleet.at_least_percent: input should be greater than 0", id="budget-of-no-user"),
        pytest.param("[fleet]\nfile = 'f.toml'\nat_least = 9", "fleet.at_least: unknown key (did you mean 'at_least_percent'?)", id="unknown-key-of-the-fleet"),
        pytest.param("[evidence]\nvalid_days = 0", "evidence.valid_days: ", id="evidence-never-valid"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_file_key_and_what_is_allowed(
    text: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    lines = str(caught.value).splitlines()
    assert all(line.startswith("weighin.toml: ") for line in lines)
    assert expected in str(caught.value)
    assert len(lines) == 1


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("[build]\nworkers = 0\nseed = 'x'")
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"[budgets", "not valid TOML", id="broken-toml"),
        pytest.param(b"\xff\xfe", "not valid TOML", id="not-text"),
    ],
)
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "weighin.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        load_config(path)


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="weighin init"):
        find_root(tmp_path)


def test_auto_is_a_recipe_alone_or_beside_others() -> None:
    assert parse(MODEL.replace('"int8"', '"auto"')).models["digits"].recipes == ("float32", "auto")
    assert parse("[search]\nminutes = 0").search.minutes == 0


def test_the_most_specific_budget_wins() -> None:
    config = parse(
        "[budgets.default]\nsize_mib = 1\nenergy_mj = 5\n[budgets.host]\nsize_mib = 2\n"
        + MODEL
        + "[models.digits.budgets.default]\nsize_mib = 3\n"
        "[models.digits.budgets.host]\nlatency_p90_ms = { at_most = 8, least_origin = 'device' }\n"
    )
    assert config.budgets_for("digits", "host") == (
        Budget(metric=Metric.ENERGY_MJ, at_most=5),
        Budget(metric=Metric.LATENCY_P90_MS, at_most=8, least_origin=Origin.DEVICE),
        Budget(metric=Metric.SIZE_MIB, at_most=3),
    )


def test_a_model_without_a_table_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no table \[models.cats\]; it describes: digits"):
        parse(MODEL).model("cats")


def test_labels_come_from_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "weighin.toml"
    path.write_text(MODEL + "labels_file = 'labels.txt'")
    with pytest.raises(ConfigError, match=r"models.digits.labels_file: cannot be read"):
        load_config(path)
    (tmp_path / "labels.txt").write_text("zero\n\n  one  \n", encoding="utf-8")
    assert load_config(path).models["digits"].meaning.labels == ("zero", "one")
