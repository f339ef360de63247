from __future__ import annotations

import threading

import numpy as np
import pytest
import pyvips

from restore_cli.picture.row_pipe import PipeClosedError, RowPipe


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 5), (50, 33)])
def test_the_image_is_made_of_the_rows(height: int, width: int, bands: int, dtype: type[np.generic]) -> None:
    samples = np.random.default_rng(0).integers(0, 255, (height, width, bands)).astype(dtype)
    pipe = RowPipe(height, width, bands, samples.dtype)
    read: list[np.ndarray] = []
    reader = threading.Thread(target=lambda: read.append(pipe.open().numpy()))
    reader.start()
    for top in range(0, height, 7):
        pipe.put(samples[top : top + 7])
    reader.join()
    assert read[0].dtype == dtype
    assert (read[0].reshape(samples.shape) == samples).all()


def test_rows_are_taken_before_the_last_ones_are_made() -> None:
    pipe = RowPipe(400, 2000, 3, np.dtype(np.uint8))
    rows = np.zeros((100, 2000, 3), np.uint8)
    encoder = threading.Thread(target=lambda: pipe.open().write_to_buffer(".png"))
    encoder.start()
    for _ in range(3):  # each waits until the one before has been read
        pipe.put(rows)
    assert encoder.is_alive()
    pipe.put(rows)
    encoder.join()


def test_a_closed_pipe_lets_neither_side_wait() -> None:
    pipe = RowPipe(100, 10, 3, np.dtype(np.uint8))
    errors: list[Exception] = []

    def read() -> None:
        try:
            pipe.open().numpy()
        except pyvips.Error as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    pipe.put(np.zeros((20, 10, 3), np.uint8))
    pipe.close()
    reader.join(timeout=20)
    assert not reader.is_alive()
    assert errors
    with pytest.raises(PipeClosedError):
        pipe.put(np.zeros((20, 10, 3), np.uint8))
