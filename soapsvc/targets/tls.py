"""TLS as every target speaks it: the peer's certificate and name are verified."""

from __future__ import annotations

import ssl

from soapsvc.errors import SettingsError
from soapsvc.targets.options import TargetOptions


def client_context(options: TargetOptions) -> ssl.SSLContext:
    """Verifies by the machine's authorities, or by those of ca_file alone. Errors: SettingsError."""
    if options.ca_file is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=str(options.ca_file))
    except (OSError, ssl.SSLError) as error:
        reason = "it holds no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingsError(f"ca_file {options.ca_file} cannot be read: {reason}") from error
