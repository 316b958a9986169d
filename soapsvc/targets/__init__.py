"""Places to hand a push to, each named by a URL."""
