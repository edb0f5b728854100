"""What every other part rests on: constants, errors, settings, paths, fingerprints, and Keras ready for use."""
