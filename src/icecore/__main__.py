"""`python -m icecore`: the command line, where its script is not on the path."""

from icecore.cli.main import run

run()
