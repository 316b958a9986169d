"""Where the rooms become a running service: listeners, processes, signals."""

from soapsvc.serving.service import RunningServer, serve

__all__ = ["RunningServer", "serve"]
