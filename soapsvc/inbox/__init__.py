"""Keeps pushes: on disk before anything is acknowledged."""
