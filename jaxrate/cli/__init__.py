"""The command line: `jaxrate`, and `jaxrate solve`, `fit`, `show`, `media`. The one part that prints."""

from jaxrate.cli.entry import main as main
