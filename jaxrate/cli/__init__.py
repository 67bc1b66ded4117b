"""The command line: `jaxrate`, `jaxrate solve FILE`, `jaxrate show FILE`, `jaxrate media`. The one part that prints."""

from jaxrate.cli.entry import main as main
