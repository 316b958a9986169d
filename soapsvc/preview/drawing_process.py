"""`python -m soapsvc.preview.drawing_process pdf|tiff PAGE`: the document on stdin, `pages N` and a PNG on stdout.

Bounds are set before anything of the document is read. Their reasons: a fax page of 1728 × 2200 takes 4 MP; pdfium and
its page take below 200 MB; a page is drawn in well below a second.
"""

from __future__ import annotations

import io
import resource
import sys

MEMORY_BYTES = 768 * 1024 * 1024
CPU_SECONDS = 8
MAX_PIXELS = 1_600_000  # of the image that is shown
MAX_SOURCE_PIXELS = 64_000_000  # of a TIFF page
WIDTH = 1100  # pixels, where the page's shape allows
DESCRIPTORS = 32


def main(kind: str, page: int) -> None:
    """Draw, and write; a sentence after `no` when that cannot be."""
    bound()
    raw = sys.stdin.buffer.read()
    try:
        pages, png = (_pdf if kind == "pdf" else _tiff)(raw, page)
    except _NoPage as no_page:
        sys.stdout.write(f"no {no_page}\n")
        return
    sys.stdout.buffer.write(b"pages %d\n" % pages + png)


class _NoPage(Exception):
    pass


def bound() -> None:
    """Let this process have no more than the bounds above."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
    ):
        resource.setrlimit(what, (most, most))


def _pdf(raw: bytes, page: int) -> tuple[int, bytes]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(raw)
        pages = len(document)
    except pypdfium2.PdfiumError as error:
        raise _NoPage(f"The PDF cannot be read: {_plain(error)}") from None
    if not 1 <= page <= pages:
        raise _NoPage(f"The document has {pages} pages.")
    drawn = document[page - 1]
    width, height = drawn.get_size()
    if width <= 0 or height <= 0:
        raise _NoPage("The page has no size.")
    scale = min(WIDTH / width, (MAX_PIXELS / (width * height)) ** 0.5)
    return pages, _png(drawn.render(scale=scale, draw_annots=True, may_draw_forms=False).to_pil())


def _tiff(raw: bytes, page: int) -> tuple[int, bytes]:
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MAX_SOURCE_PIXELS
    try:
        image = Image.open(io.BytesIO(raw), formats=["TIFF"])
        pages = int(getattr(image, "n_frames", 1))
        if not 1 <= page <= pages:
            raise _NoPage(f"The document has {pages} pages.")
        image.seek(page - 1)
        width, height = image.size
        if width * height > MAX_SOURCE_PIXELS:
            raise _NoPage(f"The page has {width} × {height} pixels: too many to be shown.")
        across, down = (float(one) or 1.0 for one in image.info.get("dpi", (1, 1)))
        shown = image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise _NoPage(f"The TIFF cannot be read: {_plain(error)}") from None
    # a fax of "standard" resolution has twice as many pixels across as down
    height = max(1, round(height * (across / down if 0.2 < across / down < 5 else 1)))
    scale = min(1.0, WIDTH / width, (MAX_PIXELS / (width * height)) ** 0.5)
    return pages, _png(shown.resize((max(1, round(width * scale)), max(1, round(height * scale)))))


def _png(image: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=6)  # type: ignore[attr-defined]  # a PIL image
    return out.getvalue()


def _plain(error: Exception) -> str:
    text = " ".join(str(error).partition("<")[0].split())[:160]
    return ("".join(one for one in text if " " <= one <= "~") or type(error).__name__).rstrip(".") + "."


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
