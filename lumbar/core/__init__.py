"""The foundation of every other part: constants, errors, settings, paths, fingerprints, and Keras set up for use."""
