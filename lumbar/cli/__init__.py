"""The command line: `main` finds the verb, and each verb has a module with its flags and its printed output."""
