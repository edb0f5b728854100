"""Facts for the exercises of lesson 00."""

FACTS = {
    "00.1": ({"x": 110, "y": 80}, {"x": 100, "y": 84, "pixel_width": 0.5, "pixel_height": 1.5}),
    "00.2": ([3, -1, 2, -2, 1],),
}

ANSWERED = {"00.1": 61**0.5, "00.2": 1.9**0.5}
