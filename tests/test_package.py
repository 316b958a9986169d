"""What pip installs works without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Path:
    """A wheel of this checkout, unpacked away from it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=checkout, capture_output=True, text=True
    )
    if tracked.returncode:
        pytest.skip("needs a git checkout, to build from what is tracked alone")
    for name in tracked.stdout.splitlines():
        if (checkout / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((checkout / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    done = subprocess.run(pip, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def run(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *words], cwd=installed.parent, env=environment, capture_output=True, text=True, timeout=120
    )


def test_every_package_of_the_checkout_is_in_the_wheel(installed: Path, checkout: Path) -> None:
    wanted = {str(path.relative_to(checkout)) for path in (checkout / "soapsvc").rglob("*.py")}
    assert {name for name in wanted if not (installed / name).is_file()} == set()


def test_the_wheel_finds_its_own_wsdl_and_samples(installed: Path) -> None:
    done = run(installed, "-c", "import soapsvc.shipped as s; print(s.WSDL_FILE); print(s.SAMPLES)")
    wsdl, samples = map(Path, done.stdout.split())
    assert wsdl.is_file()
    assert wsdl.is_relative_to(installed)
    assert (samples / "sampleReport.xml").is_file()
    assert samples.is_relative_to(installed)


def test_the_demo_runs_from_the_wheel(installed: Path) -> None:
    done = run(installed, "-m", "soapsvc", "demo", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
