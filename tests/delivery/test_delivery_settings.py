"""What is said of a `[[delivery]]` or a `[retention]` that is wrong: which entry, where, what was wanted; no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from soapsvc.delivery.entry_target import open_entry
from soapsvc.errors import SettingsError
from soapsvc.settings import load_settings
from soapsvc.targets.target import Target

SECRET = "open-sesame"
ENTRY = '[[delivery]]\nname = "a"\ntarget = "file:///srv"\n'


def refused(tmp_path: Path, text: str) -> str:
    config = tmp_path / "soapsvc.toml"
    config.write_text(text)
    with pytest.raises(SettingsError) as raised:
        load_settings({}, config)
    said = str(raised.value)
    assert str(config) in said
    assert SECRET not in said
    return said


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('[[delivery]]\ntarget = "file:///srv"\n', "delivery 1 (from .*: name is missing; wanted: a name"),
        ('[[delivery]]\nname = "a"\n', "delivery 1 .'a'. .*: target is missing"),
        ('[[delivery]]\nname = "A b"\ntarget = "file:///srv"\n', "name is 'A b'; wanted: at most 64 of a-z"),
        (f'[[delivery]]\nname = "a"\ntarget = "{SECRET}"\n', "target; wanted: the URL of a target"),
        (ENTRY + 'kind = "report"\n', "kind is 'report'; wanted: a list"),
        (ENTRY + 'kind = ["reports"]\n', "kind is 'reports'; wanted: 'report', 'fax', 'cdr' or 'other'"),
        (ENTRY + 'schedule = "often"\n', "wanted: one of patient, quick, two-hourly"),
        (ENTRY + 'schedule = "quick"\nattempts = 3\n', "schedule, or attempts and gaps"),
        (ENTRY + "ordered = true\nparallel = 2\n", "what is in order goes one at a time"),
        (ENTRY + "ordered = 1\n", "ordered is 1; wanted: true or false"),
        (ENTRY + "gaps = [-1]\n", "gaps is -1; wanted: greater than or equal to 0"),
        (ENTRY + "parallel = 17\n", "wanted: less than or equal to 16"),
        (ENTRY + "filter = 1\n", "filter is no setting of it; there are name, target"),
        (ENTRY + ENTRY, "'a'"),
        ("[retention.accepted]\ndays = 0\n", "retention .*accepted.days is 0; wanted: greater than 0"),
        ("[retention.dead]\ndays = 1\n", "dead is no setting of it; there are accepted, quarantined"),
        ("[retention.accepted]\nweeks = 1\n", "weeks is no setting of it; there are days, count, bytes"),
    ],
)
def test_a_setting_that_is_wrong_is_told_with_its_entry(tmp_path: Path, text: str, wanted: str) -> None:
    import re

    assert re.search(wanted.replace("(from", r"\(from"), refused(tmp_path, text)), refused(tmp_path, text)


def opened(tmp_path: Path, text: str) -> Target:
    config = tmp_path / "soapsvc.toml"
    config.write_text(text)
    settings = load_settings({}, config)
    return open_entry(settings.delivery[0], settings)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('target = "gopher://x/"', "is no target"),
        (
            'target = "file:///srv"\noptions = { speed = 1 }',
            "options has 'speed', which is none; there are connect_sec",
        ),
        ('target = "file:///srv"\noptions = { total_seconds = "1" }', "options.total_seconds is '1'; wanted: a number"),
        ('target = "file:///srv"\noptions = { side_files = 1 }', "options.side_files is 1; wanted: true or false"),
        (f'target = "ftp://u@127.0.0.1/"\noptions = {{ password = "{SECRET}" }}', "env:NAME or file:PATH"),
        ('target = "ftp://u@127.0.0.1/"\noptions = { password = "env:NOT_THERE" }', "no NOT_THERE"),
        (f'target = "ftp://u:{SECRET.replace(" ", "%20")}@127.0.0.1/"', "the URL of the target has a password in it"),
        ('target = "webhook+https://u:open@127.0.0.1/"', "the URL of the target has a password in it"),
        (
            'target = "mailto:a@example.org"\noptions = { smtp_url = "smtp://u:open@127.0.0.1" }',
            "the URL of options.smtp_url has a password in it",
        ),
        ('target = "exec:/no/such/program"', "there is no such program"),
        ('target = "mailto:a@example.org"', "set smtp_url"),
    ],
)
def test_a_target_that_cannot_be_opened_is_told_with_its_entry(tmp_path: Path, text: str, wanted: str) -> None:
    with pytest.raises(SettingsError) as raised:
        opened(tmp_path, f'[[delivery]]\nname = "a"\n{text}\n')
    assert str(raised.value).startswith("delivery 'a': ")
    assert wanted in str(raised.value)
    assert SECRET.partition(" ")[0] not in str(raised.value)


def test_a_secret_of_the_options_is_read_where_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    target = opened(
        tmp_path,
        '[[delivery]]\nname = "a"\ntarget = "sftp://u@127.0.0.1/in"\n'
        f'options = {{ password = "file:{tmp_path}/secret", known_hosts = "/k" }}\n',
    )
    assert (target.url, SECRET in repr(vars(target))) == ("sftp://127.0.0.1/in", False)
