"""``python -m cohort.reconstruct --seed 2024 --out FILE``: write the reconstructed cohort as csv."""

from __future__ import annotations

from pathlib import Path

import click

from cohort.reconstruct.build import SEED, reconstruct, write_cohort


@click.command()
@click.option("--seed", type=click.IntRange(min=0), default=SEED, show_default=True, help="The same seed gives the same file.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The csv file to write.")
def main(seed: int, out: Path) -> None:
    """Rebuild 268 patients from the published tables."""
    frame = reconstruct(seed)
    write_cohort(frame, out)
    click.echo(f"{len(frame)} patients written to {out}")


if __name__ == "__main__":
    main()
