"""One job from file to file: read, restore, write."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from restore_cli.batch import Outcome, Progress, Seconds, Stopwatch, failure, name_of_source
from restore_cli.device import free_host_memory
from restore_cli.errors import DeviceError, RestoreError, UnwritablePictureError
from restore_cli.memory import GIBIBYTE
from restore_cli.picture.formats import Format, format_by_name
from restore_cli.picture.losses import losses
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import Add, check_size, encoding, writing
from restore_cli.planning import Job
from restore_cli.scratch import LARGEST_IN_MEMORY, Room, scratch_folder
from restore_cli.task import StreamingTask, Task

SHARE_IN_MEMORY = 8
"""A picture's arrays lie in memory up to this part of what is free: an eighth."""
WHOLE_BYTES_PER_PIXEL = 10
"""Bytes of memory that a pixel takes, about, where a format is encoded in one piece."""
COPIED_BYTES = 1 << 20


class Worker:
    """Carries out jobs with one task, which it loads when the first job needs it, and owns from then on."""

    def __init__(
        self,
        load_task: Callable[[], Task],
        *,
        max_pixels: int,
        overwrite: bool,
        quality: int | None,
        strip_metadata: bool,
    ) -> None:
        self._load_task = load_task
        self._task: Task | None = None
        self.max_pixels = max_pixels
        self.overwrite = overwrite
        self.quality = quality
        self.strip_metadata = strip_metadata

    def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Restore one picture; what goes wrong with it is its outcome and not an exception.

        Raises:
            RestoreError: the task itself cannot be loaded, so no picture can be restored.
        """
        if job.target is not None and job.target.exists() and not (self.overwrite or job.replaces):
            return Outcome(
                name_of_source(job), str(job.target), "skipped", "its target exists (--overwrite replaces it)"
            )
        if self._task is None:
            self._task = self._load_task()
        try:
            return self._restore(job, self._task, progress)
        except RestoreError as error:
            return failure(job, error, model=self._task.model, device=self._task.device)
        except MemoryError:
            out_of_memory = DeviceError("out of host memory", "close other programs, or ask for a smaller result")
            return failure(job, out_of_memory, model=self._task.model, device=self._task.device)

    def _restore(self, job: Job, task: Task, progress: Progress) -> Outcome:
        watch = Stopwatch()
        room = Room(min(LARGEST_IN_MEMORY, free_host_memory() // SHARE_IN_MEMORY))

        def check(height: int, width: int) -> None:
            size = task.output_size(height, width)
            if size is not None and job.format is not None:
                _check_result(*size, job.format)

        source = job.source or _read_standard_input()
        picture = read_picture(source, max_pixels=self.max_pixels, room=room, check=check)
        read = watch.lap()
        size = task.output_size(picture.height, picture.width)
        if size is None:
            reason = f"it is large enough already ({picture.width}x{picture.height})"
            return Outcome(name_of_source(job), None, "skipped", reason)
        format = job.format or format_by_name(picture.format) or format_by_name("png")
        assert format is not None
        _check_result(*size, format)
        with self._target(job, *size, format) as add:
            receiver = _Receiver(add)
            if isinstance(task, StreamingTask):
                run = task.stream(picture, receiver, progress)
            else:
                restored, run = task(picture, progress)
                receiver(restored)
            ran = watch.lap() - receiver.seconds
        assert receiver.first is not None
        return Outcome(
            source=name_of_source(job),
            target=str(job.target) if job.target else "-",
            status="done",
            model=task.model,
            scale=round(size[1] / picture.width, 4),
            input_size=(picture.width, picture.height),
            output_size=(size[1], size[0]),
            device=task.device,
            precision=str(run.precision),
            tile=run.tile,
            seconds=Seconds(read, ran, watch.lap() + receiver.seconds),
            notes=picture.notes + run.notes + losses(receiver.first, format, strip_metadata=self.strip_metadata),
        )

    def _target(self, job: Job, height: int, width: int, format: Format) -> AbstractContextManager[Add]:
        open_target = partial(writing, job.target) if job.target is not None else _writing_standard_output
        return open_target(height, width, format, quality=self.quality, strip_metadata=self.strip_metadata)


class _Receiver:
    """Passes bands on to be written, and remembers the first one and how long that took."""

    def __init__(self, add: Add) -> None:
        self._add = add
        self.first: Picture | None = None
        self.seconds = 0.0

    def __call__(self, band: Picture) -> None:
        watch = Stopwatch()
        self.first = self.first or band
        self._add(band)
        self.seconds += watch.lap()


def _check_result(height: int, width: int, format: Format) -> None:
    """Refuse a result that the format or, encoded in one piece, the memory cannot hold.

    Raises:
        UnwritablePictureError: a side is longer than the format allows.
        DeviceError: there is not enough memory.
    """
    check_size(width, height, format)
    needed, free = WHOLE_BYTES_PER_PIXEL * height * width, free_host_memory()
    if not format.streams and needed > free:
        raise DeviceError(
            f"{format.name.upper()} is encoded in one piece: {width}x{height} pixels take about "
            f"{needed / GIBIBYTE:.1f} GiB of memory, and {free / GIBIBYTE:.1f} GiB are free",
            "choose TIFF or PNG with --format",
        )


def _read_standard_input() -> bytes:
    return sys.stdin.buffer.read()


@contextmanager
def _writing_standard_output(height: int, width: int, format: Format, **options: Any) -> Iterator[Add]:
    """Write a picture to standard output once it is whole; what is large lies in a scratch file until then."""
    is_large = WHOLE_BYTES_PER_PIXEL * height * width > LARGEST_IN_MEMORY
    with tempfile.TemporaryFile(dir=scratch_folder()) if is_large else io.BytesIO() as file:
        with encoding(file, height, width, format, **options) as add:
            yield add
        file.seek(0)
        try:
            shutil.copyfileobj(file, sys.stdout.buffer, COPIED_BYTES)
            sys.stdout.buffer.flush()
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise UnwritablePictureError(f"cannot write standard output: {error.strerror}") from error
