"""The admin listener: JSON for programs, pages for people."""
