"""`python -m soapsvc`: the command line without an installed script."""

from soapsvc.cli.main import main

main()
