"""What the listeners listen on."""

from __future__ import annotations

import socket

from soapsvc.errors import SettingsError
from soapsvc.settings import Settings, host_and_port

BACKLOG = 1024  # connections that the kernel keeps until they are accepted


def listening_socket(address: str, setting: str) -> socket.socket:
    """A bound socket for HOST:PORT. Errors: SettingsError: the address is taken, or not ours."""
    host, port = host_and_port(address)
    try:
        family, kind, protocol, _, resolved = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(resolved)
        bound.listen(BACKLOG)  # two sockets can be bound to one address; listening is what fails
    except OSError as cause:
        raise SettingsError(
            f"{setting} is {address}, which cannot be listened on ({cause.strerror}); end what listens there, or name "
            "another port"
        ) from cause
    return bound


def bound_sockets(settings: Settings) -> tuple[socket.socket, socket.socket, Settings]:
    """The public one, the one of the admin page, and the settings with their addresses. Errors: SettingsError."""
    public = listening_socket(settings.listen, "listen")
    admin = listening_socket(settings.admin, "admin")
    return public, admin, settings.model_copy(update={"listen": address_of(public), "admin": address_of(admin)})


def address_of(listening: socket.socket) -> str:
    """HOST:PORT as it is bound: port 0 has become a number."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
