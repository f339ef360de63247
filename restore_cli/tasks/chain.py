"""Several tasks one after the other, with nothing rounded to 8 bits or encoded between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from restore_cli.picture.depth import to_8_bit, to_16_bit
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Run
from restore_cli.tasks.sizing import size_after
from restore_cli.tasks.task import Task
from restore_cli.telling import Progress, sub_progress


class Chain:
    """Carries out tasks in turn; pictures have 16 bits between them, and at the end as many as they came with."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        self.model = "+".join(task.model for task in tasks)
        self.device = tasks[0].device

    def output_size(self, height: int, width: int) -> tuple[int, int] | None:
        """Return height and width of the result; None if no step has anything to do.

        Raises:
            PictureError: a step would have to make it too large.
        """
        return size_after((task.output_size for task in self.tasks), height, width)

    def __call__(self, picture: Picture, progress: Progress = lambda share: None) -> tuple[Picture, Run]:
        """Restore `picture`; a step whose size is reached already is passed over.

        Raises:
            PictureError, DeviceError, NotFiniteError: as the tasks do.
        """
        dtype = picture.pixels.dtype
        current = replace(
            picture,
            pixels=to_16_bit(picture.pixels, picture.storage),
            alpha=None if picture.alpha is None else to_16_bit(picture.alpha, picture.storage),
        )
        runs: list[Run] = []
        for index, task in enumerate(self.tasks):
            if task.output_size(current.height, current.width) is not None:
                current, run = task(current, sub_progress(progress, index / len(self.tasks), 1 / len(self.tasks)))
                runs.append(replace(run, model=run.model or task.model))
        if dtype == np.uint8:
            alpha = None if current.alpha is None else to_8_bit(current.alpha, current.storage)
            current = replace(current, pixels=to_8_bit(current.pixels, current.storage), alpha=alpha)
        return current, join_runs(runs)


def join_runs(runs: Sequence[Run]) -> Run:
    """Return how several tasks were done as one: all precisions, the smallest tile, all notes and models."""
    precisions = dict.fromkeys(run.precision for run in runs)
    tiles = [run.tile for run in runs if run.tile is not None]
    notes = tuple(note for run in runs for note in run.notes)
    models = [run.model for run in runs if run.model is not None]
    untouched = all(run.untouched for run in runs)
    return Run("+".join(precisions), min(tiles, default=None), notes, "+".join(models) or None, untouched)
