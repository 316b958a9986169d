"""Deliveries: what was accepted is handed on to targets, at least once, by workers that share it by claims."""
