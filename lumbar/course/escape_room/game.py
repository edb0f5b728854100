"""The game for the notebook: show a room, check an answer, give out keys, open the last door."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from pydicom import dcmread
from pydicom.dataset import Dataset

from lumbar.course import exercises
from lumbar.course.escape_room import odd_files, pictures
from lumbar.course.escape_room.odd_files import ROOMS
from lumbar.course.escape_room.riddles import riddle
from lumbar.course.escape_room.verdicts import Verdict, naive_answer, verdict
from lumbar.course.hospital import as_handed_out
from lumbar.course.riddles import EMPTY, Riddle
from lumbar.figures.style import Drawing, display

ONE_PICTURE = (1, 2, 3, 4, 5, 7)
"""Rooms in which a naive program shows one picture."""

NAIVE_VIEW = "sagittal"
"""What a naive program takes each of them for; so says the description of the series."""

_KEYS = "TOMOGRAPHY"


class EscapeRoom:
    """Ten rooms with odd files; each gives a key for the right answer. The files are only ever read.

    Args:
        out: Folder that will hold the folder of the rooms, which is written on first use.
        seed: Seed of the synthetic patients in them.

    Attributes:
        folder: The folder of the rooms.
    """

    def __init__(self, out: Path, seed: int):
        self.folder = odd_files.write_rooms(out, seed)

    def files(self, room: int) -> list[Path]:
        """Return the files of a room, sorted by name.

        Args:
            room: Number of the room, from 1.
        """
        return odd_files.files_of(self.folder, room)

    def show(self, room: int) -> Drawing:
        """Return the picture of a room as naive code shows it."""
        return pictures.show(pictures.picture_pair(self.files(room), room)[:1], [f"room {room}"])

    def check(self, room: int, answer: object) -> None:
        """Print whether the answer is right, and what helps if it is not; record it as an exercise.

        If it is right, also give out the key, show the picture put right beside the wrong one, and print what the
        package says of the file.

        Args:
            room: Number of the room, from 1.
            answer: The student's answer; None if there is none yet.
        """
        hint = self.riddle(room).feedback(answer)
        exercises.report(f"Exercise in room {room}", hint)
        if not hint:
            print(f"The door opens. Key {room} of {ROOMS}: {_KEYS[room - 1]}")
            print(self.verdict(room))
            display(pictures.show(pictures.picture_pair(self.files(room), room), pictures.ROWS))

    def open_last_door(self, word: str | None) -> None:
        """Print whether the ten keys are right; record it as an exercise.

        Args:
            word: The keys in the order of the rooms; None if there are none yet.
        """
        given = "".join(filter(str.isalpha, str(word or ""))).upper()
        right = sum(ours == theirs for ours, theirs in zip(_KEYS, given, strict=False))
        hint = f"{right} of the {ROOMS} keys are right; they stand in the order of the rooms" if given else EMPTY
        exercises.report("Exercise at the last door", "" if given == _KEYS else hint)

    def riddle(self, room: int) -> Riddle:
        """Return the right answer of a room, and the usual wrong ones."""
        return riddle(self.files(room), room)

    def verdict(self, room: int) -> Verdict:
        """Return what the package says of a room."""
        return verdict(self.files(room), room, self._truth())

    def verdicts(self) -> pd.DataFrame:
        """Return what the package says of all rooms.

        Returns:
            One row per room, indexed by its number: name; command, outcome, words and off_mm as in
            `lumbar.course.escape_room.verdicts.Verdict`; and what becomes of the naive picture, if the room has one:
            naive_off_mm, how far off the network's points are, mm (NaN if there is no such picture, or no point in it),
            and naive_flagged, whether it is flagged.
        """
        said = [{"name": name} | vars(self.verdict(room)) for room, name in enumerate(pictures.NAMES, start=1)]
        table = pd.DataFrame(said, index=pd.RangeIndex(1, ROOMS + 1, name="room"))
        naive = {room: self._naive_answer(room) for room in ONE_PICTURE}
        return table.join(pd.DataFrame.from_dict(naive, "index", columns=["naive_off_mm", "naive_flagged"]))

    def handed_out(self) -> list[Dataset]:
        """Return two slices of room 10 as a hospital hands them out, see `lumbar.course.hospital`."""
        return as_handed_out([dcmread(file) for file in self.files(10)[:2]])

    def _naive_answer(self, room: int) -> tuple[float, bool]:
        (file,) = self.files(room)
        naive, _ = pictures.picture_pair([file], room)
        return naive_answer(file, naive.pixels, NAIVE_VIEW, self._truth())

    def _truth(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / odd_files.TRUTH)

    def show_all(self) -> Drawing:
        """Return the pictures of all rooms, naive and put right."""
        return pictures.show_all([pictures.picture_pair(self.files(room), room) for room in range(1, ROOMS + 1)])
