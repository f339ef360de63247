"""One job from file to file in three stages, which may go on beside each other: read, restore, write."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from restore_cli.batch.claims import claim_on, claimed
from restore_cli.batch.leftovers import remove_leftovers
from restore_cli.batch.outcome import (
    Outcome,
    Seconds,
    Stopwatch,
    as_restore_error,
    done,
    failure,
    left_alone,
    print_traceback,
    skipped,
    skipped_if_there,
)
from restore_cli.batch.output import Output, check_result, copy_result, hand_on, writing_result
from restore_cli.batch.planning import Job
from restore_cli.batch.stages import OpenedPicture, RestoredPicture
from restore_cli.batch.worker_config import WorkerConfig
from restore_cli.device import find_device, host_threads, prepare_host
from restore_cli.errors import ForeignClaimError, RestoreError
from restore_cli.passes.tile_plan import LARGEST_BAND
from restore_cli.picture.formats import PNG, format_by_name
from restore_cli.picture.losses import losses
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import Add
from restore_cli.scratch import LARGEST_IN_MEMORY, ArrayStorage
from restore_cli.tasks.task import GroupingTask, StreamingTask
from restore_cli.telling import Progress, Tell

SHARE_IN_MEMORY = 1 / 8
"""Of free memory, in which a picture's arrays may lie; larger ones lie in scratch files."""
KEEPING: dict[str, Any] = {"quality": None, "strip_metadata": False}
"""How results are encoded where the user asks for nothing that would change a file."""
Reserve = Callable[[int], None]
"""Called before a picture is decoded with the bytes that it and its result will take; returns when there is room."""


class Worker:
    """Carries out jobs with one task, which it owns."""

    def __init__(self, config: WorkerConfig, tell: Tell) -> None:
        """Set this process up for the task and load it, in the thread that restores.

        Raises:
            RestoreError: it cannot be loaded, so no picture can be restored.
        """
        usual_threads = host_threads()
        prepare_host(config.threads)
        device = find_device(config.device, config.memory, tell)
        if config.alone_off_host and not device.is_host:
            device = replace(device, host_memory=replace(config.memory, sharers=1))
            prepare_host(usual_threads)
        self.config = config
        self.tell = tell
        self.task = config.load_task(device, tell)
        self._memory = device.host_memory
        self._cleaned: set[Path] = set()

    def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Carry out all stages of a job one after the other.

        Raises:
            ClaimedError: another run has the picture in hand.
            Exception: what goes wrong with the picture, see `failed`.
        """
        opened = self.open(job)
        if isinstance(opened, Outcome):
            return opened
        progress(0.0)
        try:
            return self.finish(self.restore(opened, progress))
        finally:
            opened.give_up()

    def clean_up(self) -> None:
        """Remove once more what killed runs left where results went: one may have been dying when this one began."""
        for folder in self._cleaned:
            remove_leftovers(folder)

    def failed(self, job: Job, error: Exception) -> Outcome:
        """Return the outcome of a job that `error` ended."""
        if self.config.debug:
            print_traceback(error)
        return failure(job, as_restore_error(error), model=self.task.model, device=self.task.device)

    def open(self, job: Job, reserve: Reserve = lambda wanted: None) -> OpenedPicture | Outcome:
        """Claim a job's target and read its source, or return why nothing is to be done.

        Raises:
            ClaimedError: another run has the picture in hand.
            PictureError, DeviceError: it cannot be read, or its result cannot be held.
        """
        if outcome := self._skipped(job):
            return outcome
        with ExitStack() as held:
            if job.target is not None:
                is_taken_over = os.path.exists(claim_on(job.target))
                try:
                    held.enter_context(claimed(job.target))
                except ForeignClaimError as error:
                    if not job.contested:
                        raise
                    return skipped(job, error.message, error.hint)
                self._clean(job.target.parent, again=is_taken_over)
                if outcome := self._skipped(job):  # which another run has made since
                    return outcome
            opened = self._read(job, reserve)
            if isinstance(opened, OpenedPicture):
                opened.held.callback(held.pop_all().close)
            return opened

    def restore(self, opened: OpenedPicture, progress: Progress) -> RestoredPicture:
        """Put a picture through the network; a large result is written meanwhile.

        Raises:
            PictureError, DeviceError, NotFiniteError: it cannot be restored or written.
        """
        watch, task = Stopwatch(), self.task
        with ExitStack() as stack:
            output = Output(opened.size[0], lambda: stack.enter_context(self._target(opened)))
            if isinstance(task, StreamingTask):
                run = task.stream(opened.picture, output, progress)
            else:
                restored, run = task(opened.picture, progress)
                output(restored)
            ran = watch.lap() - output.seconds
        assert output.first is not None
        seconds = Seconds(opened.seconds, ran, watch.lap() + output.seconds)
        return RestoredPicture(opened, run, output.first, output.is_written, seconds)

    def group_size(self, picture: Picture) -> int:
        """Return how many pictures of this size are best restored together."""
        task = self.task
        return task.group_size(picture.height, picture.width) if isinstance(task, GroupingTask) else 1

    def restore_group(self, group: Sequence[OpenedPicture]) -> list[RestoredPicture | Outcome]:
        """Put pictures of one size through the network together; one that fails does so alone.

        Raises:
            DeviceError: they cannot be restored together.
        """
        watch, task = Stopwatch(), self.task
        assert isinstance(task, GroupingTask)
        results = task.restore_group([opened.picture for opened in group])
        ran = watch.lap() / len(group)
        return [
            self.failed(opened.job, result)
            if isinstance(result, RestoreError)
            else RestoredPicture(opened, result[1], result[0], False, Seconds(opened.seconds, ran))
            for opened, result in zip(group, results, strict=True)
        ]

    def finish(self, restored: RestoredPicture) -> Outcome:
        """Write a result that is not written yet.

        Raises:
            UnwritablePictureError: it cannot be written.
        """
        watch, opened, seconds = Stopwatch(), restored.opened, restored.seconds
        picture = opened.picture
        if restored.run.untouched and opened.may_be_copied and self._encoding == KEEPING:
            copy_result(opened.source, opened.job.target)
            notes = (*restored.run.notes, "its file was copied")
        else:
            if not restored.is_written:
                with self._target(opened) as add:
                    add(restored.result)
            notes = picture.notes + restored.run.notes + self._losses(restored)
        return done(
            opened.job,
            (picture.height, picture.width),
            opened.size,
            model=restored.run.model or self.task.model,
            compression=str(picture.compression) if picture.compression else None,
            device=self.task.device,
            precision=str(restored.run.precision),
            tile=restored.run.tile,
            seconds=Seconds(seconds.read, seconds.run, seconds.write + watch.lap()),
            notes=notes,
        )

    def _skipped(self, job: Job) -> Outcome | None:
        return skipped_if_there(job, overwrite=self.config.overwrite, began=self.config.began)

    def _read(self, job: Job, reserve: Reserve) -> OpenedPicture | Outcome:
        watch = Stopwatch()
        storage = ArrayStorage(min(LARGEST_IN_MEMORY, int(SHARE_IN_MEMORY * self._memory.free())))

        def check(height: int, width: int) -> None:
            size = self.task.output_size(height, width)
            if size is None:
                raise _LargeEnoughError(height, width)
            if job.format is not None:
                check_result(*size, job.format, self._memory)
            rows, columns = size
            reserve(3 * height * width + min(3 * rows * columns, LARGEST_BAND))

        source = job.source or sys.stdin.buffer.read()
        try:
            picture = read_picture(
                source,
                max_pixels=self.config.max_pixels,
                storage=storage,
                check=check,
                called="standard input",
            )
        except _LargeEnoughError as found:
            if job.target is None or self.config.copy_rest:
                hand_on(source, job.target, job.format, max_pixels=self.config.max_pixels, **self._encoding)
            return left_alone(job, *found.args, is_copied=self.config.copy_rest)
        size = self.task.output_size(picture.height, picture.width)
        assert size is not None
        format = job.format or format_by_name(picture.format) or PNG
        check_result(*size, format, self._memory)
        return OpenedPicture(job, source, picture, size, format, watch.lap(), ExitStack())

    def _losses(self, restored: RestoredPicture) -> tuple[str, ...]:
        """Say what of a picture its new file does not hold."""
        format, picture, strip = restored.opened.format, restored.opened.picture, self.config.strip_metadata
        lost = losses(restored.result, format, opaque=picture.is_opaque, strip_metadata=strip)
        quality = self.config.quality or format.default_quality
        if restored.run.untouched and format.takes_quality and quality is not None and not picture.lossless:
            lost = (f"it was stored again, as {format.name.upper()} of quality {quality}", *lost)
        return lost

    def _target(self, opened: OpenedPicture) -> AbstractContextManager[Add]:
        return writing_result(opened.job.target, *opened.size, opened.format, **self._encoding)

    @property
    def _encoding(self) -> dict[str, Any]:
        """How results are encoded, as `writing_result` takes it."""
        return {"quality": self.config.quality, "strip_metadata": self.config.strip_metadata}

    def _clean(self, folder: Path, *, again: bool) -> None:
        """Remove what killed runs left in a folder: before the first result comes there, and when one died just now."""
        if again or folder not in self._cleaned:
            self._cleaned.add(folder)
            remove_leftovers(folder)


class _LargeEnoughError(Exception):
    """Carries the height and width of a picture that is to be left alone past the decoder."""
