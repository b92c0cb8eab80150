"""What several files here share."""

from __future__ import annotations

import pytest

from evaluation import figures


@pytest.fixture
def figures_are_not_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are built but not rasterised, which is most of a report's time."""
    monkeypatch.setattr(figures, "png", lambda _figure: b"png")
