"""A run of training from the first step to the last, or to the next interruption: reports, checkpoints, weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from restore_cli.device import is_out_of_memory
from restore_cli.errors import UsageError
from restore_cli.metrics import compare
from restore_cli.picture.depth import to_samples
from restore_cli.telling import Tell
from restore_cli.training import checkpoint_of
from restore_cli.training.learner import Learner
from restore_cli.training.run_state import Report, RunState, damaged, write_state
from restore_cli.training.sampling import Batch
from restore_cli.weights import digest_of, save_state

STEPS_TO_CHOICE = 500
"""Steps from one choice of the best weights to the next, where steps end a run."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a run ends, how often it reports, and from which reports the best weights are chosen.

    Where time ends it, from all; where steps do, from those after fixed steps alone, so that the choice does not depend
    on how fast the machine is.
    """

    steps: int | None = None
    seconds: float | None = None
    """Of learning; the rate falls with the time then, and not with the steps."""
    interval: float = 120.0
    """Seconds between two reports, at the most; a checkpoint is written with each."""

    def choose_after(self, step: int) -> bool:
        """Tell whether a report is due after `step`, whatever the clock says, and is one to choose from."""
        return self.steps is not None and (step % STEPS_TO_CHOICE == 0 or step == self.steps)


class Session:
    """Trains, and keeps beside the weights at `output` a checkpoint from which it goes on."""

    def __init__(
        self,
        learner: Learner,
        validation: Sequence[Batch],
        output: Path,
        limits: Limits,
        *,
        about: Mapping[str, str],
        start: str | None,
        learned: str,
        measures_start: bool,
    ) -> None:
        """`about`, `start` and `learned` are those of `RunState`, as the run begins.

        `measures_start` asks for a report before the first step, whose weights count as the best so far.
        """
        self.learner = learner
        self.output = output
        self.checkpoint = checkpoint_of(output)
        self.limits = limits
        self._validation = validation
        self._measures_start = measures_start
        validated = digest_of(
            {f"{number}.input": batch.input for number, batch in enumerate(validation)}
            | {f"{number}.target": batch.target for number, batch in enumerate(validation)}
        )
        self.state = RunState(dict(about), start, learned, validated)

    def resume(self, learner: Mapping[str, Any], state: RunState, tell: Tell) -> None:
        """Go on from what a checkpoint holds; `tell` is told if the photographs are others than before.

        Raises:
            WeightsError: the checkpoint is damaged.
        """
        try:
            self.learner.load_state(learner)
        except Exception as error:  # a damaged file can raise whatever its content runs into
            if is_out_of_memory(error):
                raise
            raise damaged(self.checkpoint) from error
        now, self.state = self.state, state
        if state.learned != now.learned:
            tell("it goes on with other photographs to learn from than before")
            state.about["data"] += f", then {now.about['data']}"
            state.learned = now.learned
        if state.validated != now.validated:
            tell("it goes on with other pictures to validate with, so the best PSNR before does not count any more")
            state.best = -math.inf
            state.validated = now.validated

    @property
    def history(self) -> Sequence[Report]:
        """The reports so far."""
        return self.state.history

    @property
    def is_done(self) -> bool:
        """Whether a limit is reached."""
        return self._share() >= 1

    def run(
        self, on_report: Callable[[Report], None], on_step: Callable[[float], None], stop: Callable[[], bool]
    ) -> None:
        """Train until a limit is reached or `stop` says so; a checkpoint is written then, and weights if they are best.

        `on_step` gets the share that is done, 0 to 1.

        Raises:
            UsageError: the loss is not finite any more.
            UnwritableWeightsError: a file cannot be written.
        """
        if self._measures_start and not self.state.history:
            self._report([], 0.0, on_report)
        losses: list[float] = []
        images, since, last = 0, 0.0, time.perf_counter()
        while (share := self._share()) < 1 and not stop():
            loss, count = self.learner.learn(share)
            now = time.perf_counter()
            passed, last = now - last, now
            self.state.seconds += passed
            since += passed
            losses.append(loss)
            images += count
            on_step(self._share())
            if since >= self.limits.interval or self.limits.choose_after(self.learner.step):
                self._report(losses, images / since, on_report)
                losses, images, since, last = [], 0, 0.0, time.perf_counter()
        if losses:
            self._report(losses, images / since, on_report)

    def _share(self) -> float:
        shares = []
        if self.limits.steps is not None:
            shares.append(self.learner.step / self.limits.steps)
        if self.limits.seconds is not None:
            shares.append(self.state.seconds / self.limits.seconds)
        return max(shares)

    def _report(self, losses: Sequence[float], speed: float, on_report: Callable[[Report], None]) -> None:
        state, loss = self.state, float(np.mean(losses)) if losses else None
        psnr = validate(self.learner, self._validation)
        report = Report(self.learner.step, round(state.seconds, 1), loss, psnr, round(speed, 2))
        state.history.append(report)
        counts = self.limits.steps is None or self.limits.choose_after(report.step)
        if psnr >= state.best if counts else state.best == -math.inf:  # until one counts, the last stands in for it
            self._write_weights(report)
        if counts:
            state.best = max(state.best, psnr)
        write_state(self.learner.state(), state, self.checkpoint)
        on_report(report)

    def _write_weights(self, report: Report) -> None:
        metadata = self.state.about | {
            "recipe": self.learner.recipe.text,
            "steps": str(report.step),
            "hours": f"{report.seconds / 3600:.2f}",
            "validation_psnr": f"{report.psnr:.3f}",
        }
        save_state(self.learner.average.state_dict(), self.output, metadata)


def validate(learner: Learner, batches: Sequence[Batch]) -> float:
    """Return the mean PSNR of the luma of results in 8 bits; a border as wide as the scale is left out.

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
