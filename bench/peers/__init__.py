"""Other receivers of the same push, each a program of its own; bench/servers.py starts them."""
