"""One patient's study: its series put in order, the mid-sagittal slice, and the axial slice of each disc level."""
