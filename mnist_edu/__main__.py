"""The commands: ``python -m mnist_edu run``, ``data``, ``draw``, and those for authors."""

import argparse
import contextlib
import sys
from pathlib import Path

from mnist_edu import data, download, errors


def main(words: list[str] | None = None) -> int:
    """Carry out a command and return the exit code: 0 done, 1 failed, 2 asked wrongly."""
    arguments = _parser().parse_args(words)
    try:
        return arguments.command(arguments) or 0
    except (ValueError, OSError) as error:
        print(f"mnist_edu: {error}", file=sys.stderr)
        return 2
    except (data.Unavailable, errors.WentWrong) as error:
        print(f"mnist_edu: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nmnist_edu: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mnist_edu", description="Run and keep the notebooks.")
    commands = parser.add_subparsers(required=True, metavar="command")

    run = commands.add_parser("run", help="run the series, or some notebooks of it")
    run.add_argument("numbers", nargs="*", metavar="NN", help="such as 01 05; all unless given")
    run.add_argument("--full", action="store_true", help="the full lessons, no quick settings")
    run.add_argument("--source", choices=data.SOURCES, default="auto")
    run.add_argument("--jobs", type=int, default=2, help="notebooks at a time (2)")
    run.add_argument("--out", default="executed", help="folder for what is made (executed)")
    run.set_defaults(command=_run)

    show = commands.add_parser("data", help="show, check, download or convert the data")
    show.add_argument("--download", action="store_true", help="download what is missing")
    show.add_argument("--csv", metavar="DIR", help="write train.csv and test.csv there")
    show.set_defaults(command=_data)

    draw = commands.add_parser("draw", help="open a window to write digits in and have them read")
    draw.add_argument("--model", metavar="FILE", help="a .keras file to use as the network")
    draw.set_defaults(command=_draw)

    store = commands.add_parser("store", help="execute notebooks and keep their outputs (authors)")
    store.add_argument("numbers", nargs="*", metavar="NN")
    store.set_defaults(command=_store)

    figures = commands.add_parser("figures", help="write images/ from stored outputs (authors)")
    figures.add_argument("--out", default="images")
    figures.set_defaults(command=_figures)

    text = commands.add_parser("text", help="notebook to text form, or back (authors)")
    text.add_argument("file_in", type=Path, help="an .ipynb file, or a .py file made from one")
    text.add_argument("file_out", type=Path)
    text.set_defaults(command=_text)

    bands = commands.add_parser("bands", help="measure results over seeds (maintainers)")
    bands.add_argument("numbers", nargs="*", metavar="NN")
    bands.add_argument("--full", action="store_true")
    bands.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    bands.add_argument("--source", choices=["mnist", "synthetic"], default="mnist")
    bands.add_argument("--out", type=Path, default=Path("tests/bands"))
    bands.set_defaults(command=_bands)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from mnist_edu import series

    chosen = series.find(arguments.numbers)
    digits = data.load(arguments.source)
    print(digits)
    if not arguments.full:
        print("Quick settings, from notebooks/quick.toml:")
        for number, path in chosen.items():
            quick = series.settings(path, full=False)
            print(f"  {number}:", ", ".join(f"{k} = {v}" for k, v in quick.items()) or "as it is")
    rows = series.run(
        arguments.numbers,
        arguments.full,
        series.SOURCES[digits.source],
        arguments.jobs,
        arguments.out,
    )
    series.show_results(rows, arguments.out)
    return int(any(row["state"] != "ok" for row in rows))


def _data(arguments: argparse.Namespace) -> None:
    cache = download.cache_folder()
    if arguments.download:
        download.download(cache, silence=20)
    for name, folder in data.places(cache).items():
        faults = data.faults(folder)
        state = "; ".join(faults) if faults else "all four files are there, SHA-256 right"
        print(f"{name} {folder}: {state}")
    with contextlib.suppress(OSError, ValueError):
        data.decoded(cache)
        print("The cache holds the decoded images: the files are not needed any more.")
    digits = data.load("mnist")
    print(digits)
    if arguments.csv:
        _write_csv(Path(arguments.csv))


def _write_csv(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    digits = data.load("mnist", validation_size=0)
    for name, part in (("train", digits.train), ("test", digits.test)):
        data.write_csv(folder / f"{name}.csv", part.images, part.labels)
        print(f"{folder / name}.csv: {len(part):,} digits")


def _draw(arguments: argparse.Namespace) -> None:
    from mnist_edu.pads import window

    window.draw(arguments.model)


def _store(arguments: argparse.Namespace) -> None:
    from mnist_edu import authoring, series

    for path in series.find(arguments.numbers).values():
        authoring.store(path)
        print(f"{path.name}: stored")


def _figures(arguments: argparse.Namespace) -> None:
    from mnist_edu import authoring

    for path in authoring.figures(Path(arguments.out)):
        print(path)


def _text(arguments: argparse.Namespace) -> None:
    from mnist_edu import authoring

    back = arguments.file_out.suffix == ".ipynb"
    (authoring.from_text if back else authoring.to_text)(arguments.file_in, arguments.file_out)


def _bands(arguments: argparse.Namespace) -> None:
    from mnist_edu import authoring

    how = (arguments.seeds, arguments.full, arguments.source, arguments.out)
    authoring.measure_bands(arguments.numbers, *how)


if __name__ == "__main__":
    sys.exit(main())
