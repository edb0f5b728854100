"""The escape room: ten odd DICOM files, a riddle about each, and what the package itself says of them.

`odd_files` writes the files, `riddles` knows the right answers and the usual wrong ones, `pictures` shows each file as
naive code does and put right, and `verdicts` asks the package. `game` joins them for the notebook.
"""

from lumbar.course.escape_room.game import EscapeRoom

__all__ = ["EscapeRoom"]
