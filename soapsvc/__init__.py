"""soapsvc: receives job reports, faxes and CDRs that a message service pushes by SOAP 1.1."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("soapsvc")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0"
