"""A profile of the settings: each key read, each wrong one told in a sentence, and no secret in any."""

from __future__ import annotations

from pathlib import Path

import pytest

from soapsvc.errors import SettingsError
from soapsvc.sender import SCHEDULES, Backup, Profile, RetrySchedule
from soapsvc.settings import load_settings
from soapsvc.shipped import WSDL_FILE
from soapsvc.targets.options import TargetOptions

RECEIVER = 'receiver = "http://vendor@receiver.example/push"\n'


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THE_PASSWORD", "s3cret")


def profile(text: str, **told: object) -> Profile:
    Path("soapsvc.toml").write_text(f"[profiles.trial]\n{text}")
    return Profile.from_settings(load_settings(), "trial", **told)


def test_every_key_is_read() -> None:
    Path("key").write_text("p4ss\n")
    read = profile(
        RECEIVER
        + 'password = "env:THE_PASSWORD"\nattempts = 4\ngaps = [1, 2.5]\nbackup_attempts = 2\nbackup_gaps = 7\n'
        "connect_seconds = 3\ntimeout_seconds = 20\nbackup_seconds = 90\nwsdl = 'a.wsdl'\noperation = 'Push'\n"
        "backup = ['mailto:a@example.com', {url = 'sftp://u@h/in', password = 'file:key', private_key = 'k', "
        "known_hosts = 'h'}]\n[profiles.trial.properties]\nUserAccountNumber = '2'\n"
    )
    assert read == Profile(
        "http://vendor@receiver.example/push", "s3cret",
        (Backup("mailto:a@example.com"), Backup("sftp://u@h/in", "p4ss", Path("k"), Path("h"))),
        RetrySchedule("own", (1.0, 2.5, 2.5)), RetrySchedule("own", (7.0,)), 3, 20, 90, (("UserAccountNumber", "2"),),
        Path("a.wsdl"), "Push",
    )  # fmt: skip


def test_a_schedule_of_the_field_by_its_name_and_in_a_shorter_time() -> None:
    read = profile(RECEIVER + 'retry = "steps-24h"\ncompress = 60\n')
    assert read.schedule == SCHEDULES["steps-24h"].compressed(60)
    assert read.schedule.gaps_seconds[:3] == (1, 5, 5)


def test_what_is_told_counts_before_the_profile() -> None:
    read = profile(RECEIVER + "timeout_seconds = 20\nattempts = 3\n", receiver="http://other.example/", schedule=None)
    assert (read.receiver, read.timeout_seconds, read.schedule.attempts) == ("http://other.example/", 20, 3)


def test_without_a_wsdl_of_its_own_that_of_the_settings_holds() -> None:
    assert profile(RECEIVER).wsdl == WSDL_FILE
    Path("soapsvc.toml").write_text(f"wsdl = 'x.wsdl'\n[profiles.trial]\n{RECEIVER}")
    assert Profile.from_settings(load_settings(), "trial").wsdl == Path("x.wsdl")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "profiles.trial has no receiver"),
        (RECEIVER + "atempts = 3", "profiles.trial has 'atempts', which is no key of it; the nearest one is attempts"),
        (RECEIVER + "attempts = 'x'", "profiles.trial.attempts is not what is wanted there: number"),
        (RECEIVER + "attempts = 1.5", "profiles.trial.attempts is not what is wanted there: number"),
        (RECEIVER + "attempts = 0", "attempts are 1 or more"),
        (RECEIVER + "gaps = [1, true]", "profiles.trial.gaps is not what is wanted there: seconds"),
        (RECEIVER + "retry = 'steps-24'", "there is no retry schedule 'steps-24'; steps-24h is near"),
        (RECEIVER + "retry = 'once'\nattempts = 2", "has retry, and attempts or gaps too"),
        (RECEIVER + "timeout_seconds = 0", "above 0"),
        (RECEIVER + "password = 's3cret'", "a secret is named by env:NAME or file:PATH"),
        (RECEIVER + "password = 'env:NO_SUCH'", "the environment has no NO_SUCH"),
        (RECEIVER + "backup = [{urls = 'x'}]", "profiles.trial.backup 1 has 'urls'"),
        (RECEIVER + "backup = ['ftp://u:s3cret@h/']", "the URL of a backup has a password in it"),
        ("receiver = 'http://u:s3cret@h/'", "the URL of the receiver has a password in it"),
        ("receiver = 'ftp://u:s3cret@h/'", "is not an http or https URL"),
        (RECEIVER + "properties = {a = 1}", "profiles.trial.properties is not what is wanted there: table of texts"),
    ],
)
def test_a_wrong_key_is_one_sentence_without_a_secret(text: str, told: str) -> None:
    with pytest.raises(SettingsError) as raised:
        profile(text)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_a_profile_that_there_is_not_is_told_with_those_there_are() -> None:
    profile(RECEIVER)
    with pytest.raises(SettingsError, match=r"there is no profile 'other'.*there are: trial"):
        Profile.from_settings(load_settings(), "other")


# Mail server and authorities -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["env:THE_PASSWORD", "file:key", "s3cret"])
def test_mail_server_and_authorities_come_from_the_settings(password: str) -> None:
    Path("key").write_text("s3cret\n")
    Path("soapsvc.toml").write_text(
        f'smtp_url = "smtp://u@h:25"\nsmtp_password = "{password}"\nsmtp_from = "a@example.com"\nca_file = "ca.pem"\n'
    )
    options = TargetOptions.from_settings(load_settings())
    assert (options.smtp_url, options.smtp_password, options.mail_from, options.ca_file) == (
        "smtp://u@h:25", "s3cret", "a@example.com", Path("ca.pem"),
    )  # fmt: skip


def test_a_mail_server_that_is_none_is_told_without_its_password() -> None:
    Path("soapsvc.toml").write_text('smtp_url = "http://u:s3cret@h"\n')
    with pytest.raises(SettingsError, match="smtp://HOST:PORT") as raised:
        load_settings()
    assert "s3cret" not in str(raised.value)
