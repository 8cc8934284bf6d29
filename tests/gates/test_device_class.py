"""Classes of devices: who is in them, who is not known to be, and what is no class."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.device_class import Members, expand, is_class, members, parse_class
from weighin.gates.errors import ConfigError
from weighin.gates.profile import (
    HOST,
    Cluster,
    DeviceProfile,
    Memory,
    Os,
    Tier,
    all_profiles,
    load_profile,
)

OLD = DeviceProfile(
    name="old",
    title="Old",
    os=Os.ANDROID,
    os_release=9,
    tier=Tier.LOW,
    year=2017,
    soc="Snapdragon 425",
    soc_id="msm8917",
    source="nobody",
    clusters=(Cluster(core="cortex-a53", count=4, max_ghz=1.4, isa=(), source="nobody"),),
    memory=Memory(ram_mib=2048, source="nobody"),
)
NEW = dataclasses.replace(
    OLD,
    name="new",
    os_release=14,
    tier=Tier.HIGH,
    year=2022,
    soc_id="sm8450",
    clusters=(
        Cluster(core="cortex-x2", count=1, max_ghz=3, isa=("dotprod", "fp16"), source="nobody"),
    ),
    memory=Memory(ram_mib=8192, source="nobody"),
)
APPLE = dataclasses.replace(NEW, name="apple", os=Os.IOS, os_release=17, soc_id="a15", year=2021)
BARE = dataclasses.replace(NEW, name="bare", os_release=None, clusters=(), memory=None, year=2020)
ALL = (OLD, NEW, APPLE, BARE, load_profile(HOST))


@pytest.mark.parametrize(
    ("text", "names", "unknown"),
    [
        ("tier:low", ("old",), ()),
        ("tier:high", ("new", "apple", "bare"), ()),
        ("soc:sm8450", ("new", "bare"), ()),
        ("os:ios", ("apple",), ()),
        ("os:android", ("old", "new", "bare"), ()),
        ("isa:dotprod", ("new", "apple"), ("bare",)),
        ("isa:i8mm", (), ("bare",)),
        ("android>=14", ("new",), ("bare",)),
        ("android>14", (), ("bare",)),
        ("android<=9", ("old",), ("bare",)),
        ("android<9", (), ("bare",)),
        ("android=9", ("old",), ("bare",)),
        ("android == 9", ("old",), ("bare",)),
        ("ios>=17", ("apple",), ()),
        ("ram>=4096", ("new", "apple"), ("bare",)),
        ("ram<4096", ("old",), ("bare",)),
        ("year >= 2021", ("new", "apple"), ()),
        ("year<2018", ("old",), ()),
    ],
)
def test_who_is_in_a_class_and_whose_profile_does_not_say(
    text: str, names: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    assert members(parse_class(text), ALL) == Members(names=names, unknown=unknown)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("teir:low", "unknown fact 'teir' (did you mean 'tier'?); allowed: tier, soc"),
        ("tier:lwo", "unknown tier 'lwo' (did you mean 'low'?); allowed: high, mid, low, old"),
        ("tier:host", "unknown tier 'host'"),
        ("os:host", "unknown os 'host'"),
        ("os:andriod", "did you mean 'android'?"),
        ("isa:dotprd", "did you mean 'dotprod'?"),
        ("tier>=low", "tier is a word"),
        ("tier:", "tier is a word"),
        ("android:12", "android is compared with a number; allowed: android>=NUMBER"),
        ("android>=twelve", "android is compared with a number"),
        ("ram>=4.5", "and a whole number"),
        ("ram>=-1", "and a whole number"),
        ("year>=²", "and a whole number"),
        (":low", "is no class of devices; write one like tier:low"),
        ("=>12", "is no class of devices"),
        ("soc:sm845", "matches no profile (did you mean 'sm8450'?); allowed: a15, msm8917, sm8450"),
        ("isa:i8mm", "matches no profile; there are 4 phones: weighin device list; 1 profiles"),
        ("year>=2090", "matches no profile"),
    ],
)
def test_a_class_that_is_none_or_that_nobody_is_in_says_why(text: str, complaint: str) -> None:
    assert is_class(text)
    with pytest.raises(ConfigError) as caught:
        expand(text, ALL)
    assert complaint in str(caught.value)


def test_a_name_means_itself() -> None:
    assert expand("old", ALL) == ("old",)
    assert not any(is_class(profile.name) for profile in all_profiles())


@given(st.sampled_from(["android", "ram", "year"]), st.integers(0, 9000))
def test_at_least_and_below_share_out_the_phones_that_say(fact: str, number: int) -> None:
    above = members(parse_class(f"{fact}>={number}"), ALL)
    below = members(parse_class(f"{fact}<{number}"), ALL)
    assert above.unknown == below.unknown
    assert not set(above.names) & set(below.names)
    exact = members(parse_class(f"{fact}={number}"), ALL)
    assert set(exact.names) <= set(above.names)
