"""One job from file to file: read, restore, write."""

from __future__ import annotations

import sys
from collections.abc import Callable

from restore_cli.batch import Outcome, Progress, Seconds, Stopwatch, failure, name_of_source
from restore_cli.errors import DeviceError, RestoreError, UnwritablePictureError
from restore_cli.picture.formats import Format, format_by_name
from restore_cli.picture.losses import losses
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import check_size, encode_picture, write_picture
from restore_cli.planning import Job
from restore_cli.task import Task


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
        picture = read_picture(job.source or _read_standard_input(), max_pixels=self.max_pixels)
        read = watch.lap()
        size = task.output_size(picture.height, picture.width)
        if size is None:
            reason = f"it is large enough already ({picture.width}x{picture.height})"
            return Outcome(name_of_source(job), None, "skipped", reason)
        format = job.format or format_by_name(picture.format) or format_by_name("png")
        assert format is not None
        check_size(size[1], size[0], format)
        restored, run = task(picture, progress)
        ran = watch.lap()
        self._write(restored, job, format)
        return Outcome(
            source=name_of_source(job),
            target=str(job.target) if job.target else "-",
            status="done",
            model=task.model,
            scale=round(restored.width / picture.width, 4),
            input_size=(picture.width, picture.height),
            output_size=(restored.width, restored.height),
            device=task.device,
            precision=str(run.precision),
            tile=run.tile,
            seconds=Seconds(read, ran, watch.lap()),
            notes=picture.notes + run.notes + losses(restored, format, strip_metadata=self.strip_metadata),
        )

    def _write(self, picture: Picture, job: Job, format: Format) -> None:
        if job.target is not None:
            write_picture(picture, job.target, format, quality=self.quality, strip_metadata=self.strip_metadata)
            return
        content = encode_picture(picture, format, quality=self.quality, strip_metadata=self.strip_metadata)
        try:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise UnwritablePictureError(f"cannot write standard output: {error.strerror}") from error


def _read_standard_input() -> bytes:
    return sys.stdin.buffer.read()
