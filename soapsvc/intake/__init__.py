"""Takes what a sender dropped at its backup destination into the same inbox as what is pushed."""
