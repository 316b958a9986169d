"""How fast the receiver is beside others that take the same push; `python -m bench`, see README.md."""
