"""The command line: `main` finds the verb, and each verb is a module: flags in, a function called, a report out."""
