from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.datasets.reading import DatasetInvalid, Fault, Ingested, Limits, ingest

Ingest = Callable[..., Ingested]
Refuse = Callable[..., Fault]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return tmp_path / "stored.parquet"


@pytest.fixture
def accept(tmp_path: Path, stored: Path) -> Ingest:
    """Ingest bytes or text of a format; limits by name."""

    def accept(
        content: bytes | str, kind: Any = "csv", compression: Any = None, **limits: int
    ) -> Ingested:
        upload = tmp_path / "upload"
        upload.write_bytes(content.encode() if isinstance(content, str) else content)
        return ingest(
            upload,
            format=kind,
            destination=stored,
            limits=Limits(**limits),
            compression=compression,
        )

    return accept


@pytest.fixture
def refuse(accept: Ingest, tmp_path: Path) -> Refuse:
    """Ingest what must be refused; the first fault. Nothing is left on the disk."""

    def refuse(content: bytes | str, *args: Any, **kwargs: Any) -> Fault:
        with pytest.raises(DatasetInvalid) as caught:
            accept(content, *args, **kwargs)
        assert {path.name for path in tmp_path.iterdir()} == {"upload"}
        return caught.value.errors[0]

    return refuse
