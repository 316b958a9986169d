"""The receiver as a service: waitress listeners, processes, signals."""

import sys

if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # an import of it fails, as where it is not installed
    import structlog  # noqa: F401  # loads rich with pygments, 10 MB, for coloured tracebacks that no service prints

    del sys.modules["rich"]

from soapsvc.serving.start import serve

__all__ = ["serve"]
