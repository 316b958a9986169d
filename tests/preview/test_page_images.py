"""Page images: what a page looks like, and that no document takes more than it is allowed."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from soapsvc.preview import page_images
from soapsvc.preview.page_images import NoPageImage, PageImages
from soapsvc.shipped import SAMPLES

PDF = SAMPLES / "decoded"


def drawn(raw: bytes, kind: str, page: int = 1) -> tuple[Image.Image, int]:
    made = PageImages().image(io.BytesIO(raw), str(hash(raw)), kind, page)
    return Image.open(io.BytesIO(made.png)), made.pages


def decoded(suffix: str) -> bytes:
    (file,) = [file for file in PDF.iterdir() if file.suffix == suffix][:1]
    return file.read_bytes()


def test_a_page_of_a_pdf_is_drawn_black_on_white() -> None:
    image, pages = drawn(decoded(".pdf"), "application/pdf")
    assert pages == 1
    assert (image.width, image.height) == (1064, 1505)  # 1.6 million pixels in the shape of A4
    shades = image.convert("L").getextrema()
    assert shades[0] < 100
    assert shades[1] == 255


def test_each_page_of_a_fax_is_drawn() -> None:
    looks = set()
    for page in (1, 2, 3):
        image, pages = drawn(decoded(".tif"), "image/tiff", page)
        assert pages == 3
        looks.add(image.tobytes())
    assert len(looks) == 3


def test_a_fax_of_standard_resolution_is_drawn_as_high_as_the_paper() -> None:
    out = io.BytesIO()
    Image.new("1", (1728, 1100), 1).save(out, "TIFF", compression="group4", dpi=(204, 98))
    image, _ = drawn(out.getvalue(), "image/tiff")
    assert 1.2 < image.height / image.width < 1.4


@pytest.mark.parametrize("page", [0, 2, 99999])
@pytest.mark.parametrize(("suffix", "kind"), [(".pdf", "application/pdf")])
def test_a_page_that_there_is_not_is_said(suffix: str, kind: str, page: int) -> None:
    with pytest.raises(NoPageImage, match="The document has 1 pages"):
        drawn(decoded(suffix), kind, page)


def wide_tiff(width: int, height: int) -> bytes:
    """A header that promises so many pixels, with nothing behind it."""
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1),
               (278, 4, height), (279, 4, 16)]  # fmt: skip
    made = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries))
    return made + b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries) + bytes(64)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", "application/pdf"),
        (b"%PDF-1.7\n" + b"\xff" * 5000, "application/pdf"),
        (b"II*\0" + b"\xff" * 5000, "image/tiff"),
        (b"II*\0\x08\0\0\0\0\0", "image/tiff"),
        (wide_tiff(60_000, 60_000), "image/tiff"),
        (wide_tiff(2**31, 2**31), "image/tiff"),
        (wide_tiff(9000, 7000), "image/tiff"),
        (b"\x89PNG\r\n\x1a\n", "image/tiff"),
    ],
)
def test_what_is_damaged_or_too_large_gives_a_sentence(raw: bytes, kind: str) -> None:
    with pytest.raises(NoPageImage, match=r"\.$"):
        drawn(raw, kind)


def test_a_page_as_large_as_a_field_is_drawn_within_the_pixels() -> None:
    pdf = decoded(".pdf").replace(b"/MediaBox [0 0 595 842]", b"/MediaBox [0 0 9999 9999]")
    image, _ = drawn(pdf, "application/pdf")
    assert image.width * image.height <= 1_610_000


def test_what_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_images, "WALL_SECONDS", 0.01)
    began = time.monotonic()
    with pytest.raises(NoPageImage, match="took too long"):
        drawn(decoded(".pdf"), "application/pdf")
    assert time.monotonic() - began < 5


def test_what_was_drawn_once_is_not_drawn_again() -> None:
    images = PageImages()
    first = images.image(io.BytesIO(decoded(".pdf")), "a" * 64, "application/pdf", 1)
    assert images.image(io.BytesIO(b"not read"), "a" * 64, "application/pdf", 1) is first


def test_without_what_draws_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_images, "installed", lambda: False)
    with pytest.raises(NoPageImage, match=r"pip install 'soapsvc\[preview\]'"):
        drawn(decoded(".pdf"), "application/pdf")


@pytest.mark.parametrize(
    ("act", "ends"),
    [
        ("bytearray(900 * 1024 * 1024)", "MemoryError"),
        ("open('here', 'wb', 0).write(b'x')", "OSError"),
        ("[open('/dev/null') for _ in range(100)]", "OSError"),
    ],
)
def test_the_process_that_draws_is_bounded(act: str, ends: str, tmp_path: Path) -> None:
    code = f"import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" \
           f"from soapsvc.preview.drawing_process import bound\nbound()\n{act}"  # fmt: skip
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert ends in done.stderr


def test_a_pipe_that_breaks_takes_nothing_away() -> None:
    with pytest.raises(NoPageImage, match="cannot be read"):
        drawn(b"x" * 5_000_000, "application/pdf")
