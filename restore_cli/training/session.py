"""A run of training from the first step to the last, or to the next interruption: reports, checkpoints, weights."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from restore_cli.errors import UsageError, WeightsError
from restore_cli.metrics import compare
from restore_cli.picture.picture import to_samples
from restore_cli.training import CHECKPOINT_SUFFIX
from restore_cli.training.learner import Learner
from restore_cli.training.sampling import Batch
from restore_cli.weights import save_state, write_whole


@dataclass(frozen=True, slots=True)
class Report:
    """How a run stands at the end of an interval."""

    step: int
    seconds: float
    """Spent learning since the first step, interruptions left out."""
    loss: float
    """Mean of the steps since the last report."""
    psnr: float
    """Of luma, in decibels: mean over the pictures that are held out, restored with the averaged weights."""
    images_per_second: float


@dataclass(frozen=True, slots=True)
class Limits:
    """When a run ends and how often it reports."""

    steps: int | None = None
    seconds: float | None = None
    """Of learning; the rate falls with the time then, and not with the steps."""
    interval: float = 120.0
    """Seconds between two reports; a checkpoint is written with each."""


class Session:
    """Trains, and keeps beside the weights at `output` a checkpoint from which it goes on."""

    def __init__(
        self, learner: Learner, validation: Sequence[Batch], output: Path, limits: Limits, about: dict[str, str]
    ) -> None:
        """`about` goes into the metadata of the weights."""
        self.learner = learner
        self.output = output
        self.checkpoint = output.with_suffix(CHECKPOINT_SUFFIX)
        self.limits = limits
        self.history: list[Report] = []
        self._validation = validation
        self._about = about
        self._seconds = 0.0

    def resume(self) -> None:
        """Go on from the checkpoint.

        Raises:
            WeightsError: it cannot be read.
            UsageError: it is of another recipe.
        """
        try:
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            history = [Report(**fields) for fields in json.loads(state["history"])]
            learner, seconds = state["learner"], float(state["seconds"])
        except Exception as error:  # a damaged file can raise whatever its content runs into
            raise WeightsError(
                f"cannot read the checkpoint {self.checkpoint}", "start afresh without --resume"
            ) from error
        self.learner.load_state(learner)
        self.history, self._seconds = history, seconds

    @property
    def is_done(self) -> bool:
        """Whether a limit is reached."""
        return self._share() >= 1

    def run(
        self, on_report: Callable[[Report], None], on_step: Callable[[float], None], stop: Callable[[], bool]
    ) -> None:
        """Train until a limit is reached or `stop` says so; then the checkpoint and the weights are written.

        `on_step` gets the share that is done, 0 to 1.

        Raises:
            UsageError: the loss is not finite any more.
            UnwritableWeightsError: a file cannot be written.
        """
        losses: list[float] = []
        images, since, last = 0, 0.0, time.perf_counter()
        while (share := self._share()) < 1 and not stop():
            loss, count = self.learner.learn(share)
            now = time.perf_counter()
            passed, last = now - last, now
            self._seconds += passed
            since += passed
            losses.append(loss)
            images += count
            on_step(self._share())
            if since >= self.limits.interval:
                self._report(losses, images / since, on_report)
                losses, images, since, last = [], 0, 0.0, time.perf_counter()
        if losses:
            self._report(losses, images / since, on_report)

    def _share(self) -> float:
        shares = []
        if self.limits.steps is not None:
            shares.append(self.learner.step / self.limits.steps)
        if self.limits.seconds is not None:
            shares.append(self._seconds / self.limits.seconds)
        return max(shares)

    def _report(self, losses: Sequence[float], speed: float, on_report: Callable[[Report], None]) -> None:
        psnr = validate(self.learner, self._validation)
        report = Report(self.learner.step, round(self._seconds, 1), float(np.mean(losses)), psnr, round(speed, 2))
        best = max((earlier.psnr for earlier in self.history), default=-np.inf)
        self.history.append(report)
        if psnr >= best:
            self._write_weights(report)
        self._write_checkpoint()
        on_report(report)

    def _write_weights(self, report: Report) -> None:
        metadata = self._about | {
            "recipe": self.learner.recipe.text,
            "steps": str(report.step),
            "hours": f"{report.seconds / 3600:.2f}",
            "validation_psnr": f"{report.psnr:.3f}",
        }
        save_state(self.learner.average.state_dict(), self.output, metadata)

    def _write_checkpoint(self) -> None:
        content: dict[str, Any] = {
            "learner": self.learner.state(),
            "history": json.dumps([asdict(report) for report in self.history]),
            "seconds": self._seconds,
        }
        write_whole(self.checkpoint, lambda temporary: torch.save(content, temporary))


def validate(learner: Learner, batches: Sequence[Batch]) -> float:
    """Return the mean PSNR of luma, rounded to 8 bits; a border as wide as the scale is left out.

    Raises:
        UsageError: a picture is smaller than what PSNR and SSIM need.
    """
    scores = []
    for batch in batches:
        restored, target = (
            to_samples(x[0].permute(1, 2, 0).numpy(), 8) for x in (learner.restore(batch), batch.target)
        )
        border = round(batch.target.shape[2] / batch.input.shape[2])
        scores.append(min(compare(restored, target, border=border if border > 1 else 0).psnr, 100.0))
    if not scores:
        raise UsageError("there is nothing to validate with", "name a folder with --validation")
    return float(np.mean(scores))
