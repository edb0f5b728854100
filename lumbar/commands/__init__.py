"""The verbs of the command line, one module each: flags in, a room of the package called, words out."""
