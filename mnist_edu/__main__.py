"""The commands: ``mnist-edu run``, ``data``, ``draw``, and those for teachers and authors."""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mnist_edu import __version__, data, download, files
from mnist_edu.cache import cache_folder
from mnist_edu.errors import AskedWrongly, WentWrong, needs


def main(words: list[str] | None = None) -> int:
    """Carry out a command and return the exit code: 0 done, 1 failed, 2 asked wrongly."""
    arguments = _parser().parse_args(words)
    try:
        return arguments.command(arguments) or 0
    except KeyboardInterrupt:
        print("\nmnist_edu: stopped", file=sys.stderr)
        return 130
    except (AskedWrongly, WentWrong, ValueError, OSError) as error:
        print(f"mnist_edu: {error}", file=sys.stderr)
        return 2 if isinstance(error, AskedWrongly) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mnist_edu", description="Run and keep the notebooks.")
    parser.add_argument("--version", action="version", version=f"mnist_edu {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_for_readers(commands)
    _add_for_teachers(commands)
    _add_for_authors(commands)
    return parser


def _add_for_readers(commands: Any) -> None:
    run = commands.add_parser("run", help="run the series, or some notebooks of it")
    run.add_argument("numbers", nargs="*", metavar="NN", help="such as 01 06; all unless given")
    run.add_argument("--full", action="store_true", help="the full lessons, no quick settings")
    run.add_argument("--source", choices=["auto", *data.SOURCES], default="auto")
    run.add_argument("--jobs", type=int, default=2, help="notebooks at a time (2)")
    run.add_argument("--out", default="executed", help="folder for what is made (executed)")
    run.set_defaults(command=_run)

    show = commands.add_parser("data", help="show, check, download or convert the data")
    show.add_argument("--download", action="store_true", help="download what is missing")
    show.add_argument("--csv", metavar="DIR", help="write train.csv and test.csv there")
    show.set_defaults(command=_data)

    lab = commands.add_parser("lab", help="open notebooks of your own in JupyterLab")
    lab.add_argument("--stored", action="store_true", help="the originals, with all outputs")
    lab.set_defaults(command=_lab)

    draw = commands.add_parser("draw", help="open a window to write digits in and have them read")
    draw.add_argument("--model", metavar="FILE", help="a .keras file to use as the network")
    draw.set_defaults(command=_draw)

    doctor = commands.add_parser("doctor", help="what is there, what is missing, and how to get it")
    doctor.set_defaults(command=_doctor)


def _add_for_teachers(commands: Any) -> None:
    edition = commands.add_parser("edition", help="write notebooks to hand out, to teach, to carry")
    edition.add_argument("kind", help="learner, pupil, teacher or portable")
    edition.add_argument("numbers", nargs="*", metavar="NN", help="such as 01 06; all unless given")
    edition.add_argument("--out", required=True, metavar="DIR", help="folder for the notebooks")
    edition.set_defaults(command=_edition)

    group = commands.add_parser("class", help="what a class guessed and solved, from its notebooks")
    group.add_argument("folder", type=Path, help="one notebook for each pupil, or one folder")
    group.add_argument("--out", type=Path, default=Path("class"), help="for what is made (class)")
    group.add_argument("--check", action="store_true", help="run the checkers anew on the answers")
    group.add_argument("--limit", type=float, default=60, help="seconds for each process (60)")
    group.add_argument("--jobs", type=int, default=2, help="notebooks checked at a time (2)")
    group.set_defaults(command=_class)


def _add_for_authors(commands: Any) -> None:
    store = commands.add_parser("store", help="execute notebooks and keep their outputs (authors)")
    store.add_argument("numbers", nargs="*", metavar="NN")
    store.set_defaults(command=_store)

    figures = commands.add_parser("figures", help="write images/ from stored outputs, or for print")
    figures.add_argument("numbers", nargs="*", metavar="NN", help="with --format: which notebooks")
    figures.add_argument("--out", type=Path, help="folder (images; with --format: figures)")
    figures.add_argument("--format", choices=["svg", "pdf"], help="run the notebooks, draw anew")
    figures.add_argument("--width", type=float, help="mm of full width (as wide as the text asks)")
    figures.add_argument("--text", type=float, default=9, help="points of its text (9)")
    figures.add_argument("--quick", action="store_true", help="run with the quick settings")
    figures.set_defaults(command=_figures)

    text = commands.add_parser("text", help="notebook to text form, or back (authors)")
    text.add_argument("file_in", type=Path, help="an .ipynb file, or a .py file made from one")
    text.add_argument("file_out", type=Path)
    text.set_defaults(command=_text)

    bands = commands.add_parser("bands", help="measure results over seeds (maintainers)")
    bands.add_argument("numbers", nargs="*", metavar="NN")
    bands.add_argument("--full", action="store_true")
    bands.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    bands.add_argument("--source", choices=[*data.SOURCES], default="mnist")
    bands.add_argument("--out", type=Path, default=Path("tests/bands"))
    bands.set_defaults(command=_bands)


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
    row = data.row_of(digits.source)
    source = row.name if row else arguments.source
    rows = series.run(arguments.numbers, arguments.full, source, arguments.jobs, arguments.out)
    series.show_results(rows, arguments.out)
    return int(any(row.error for row in rows))


def _data(arguments: argparse.Namespace) -> None:
    cache = cache_folder()
    if arguments.download:
        download.download(cache, silence=20)
    if data.is_decoded(cache):
        print(f"The cache {cache} holds the decoded images: no file is needed any more.")
    else:
        for name, folder in data.places(cache).items():
            print(f"{name} {folder}: {_state(folder)}")
    if not data.mnist_is_here(cache):
        raise WentWrong(f"MNIST is not here. What to do: {data.SOURCES['mnist'].remedy}")
    print(data.load("mnist"))
    if arguments.csv:
        _write_csv(Path(arguments.csv))


def _state(folder: Path) -> str:
    try:
        files.read_mnist(folder)
        return "all four files are there, their content is right"
    except ValueError as error:
        return str(error)


def _write_csv(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    digits = data.load("mnist", validation_size=0)
    for name, part in (("train", digits.train), ("test", digits.test)):
        data.write_csv(folder / f"{name}.csv", part.images, part.labels)
        print(f"{folder / name}.csv: {len(part):,} digits")


def _lab(arguments: argparse.Namespace) -> int:
    from mnist_edu import editions, series

    needs("jupyterlab", "lessons")
    folder = series.notebooks_folder() if arguments.stored else Path("my_notebooks")
    if not arguments.stored:
        print("\n".join(editions.give(folder)), flush=True)
    command = [sys.executable, "-m", "jupyterlab", str(folder)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container
        command.append("--allow-root")
    return subprocess.call(command, env=series.lab_environment(cache_folder() / "lab"))


def _edition(arguments: argparse.Namespace) -> None:
    from mnist_edu import editions

    for path in editions.make(arguments.kind, arguments.numbers, arguments.out):
        print(path)


def _class(arguments: argparse.Namespace) -> None:
    from mnist_edu import class_report

    how = (arguments.check, arguments.limit, arguments.jobs)
    class_report.report(arguments.folder, arguments.out, *how)


def _doctor(arguments: argparse.Namespace) -> int:
    from mnist_edu import doctor

    return doctor.examine()


def _draw(arguments: argparse.Namespace) -> None:
    from mnist_edu.pads import window

    window.draw(arguments.model)


def _store(arguments: argparse.Namespace) -> None:
    from mnist_edu import authoring, series

    for path in series.find(arguments.numbers).values():
        authoring.store(path)
        print(f"{path.name}: stored")


def _figures(arguments: argparse.Namespace) -> None:
    from mnist_edu import authoring, figures

    if arguments.format:
        out = arguments.out or Path("figures")
        how = (arguments.format, arguments.width, arguments.text, arguments.quick)
        written = figures.draw(arguments.numbers, out, *how)
    elif arguments.numbers or arguments.width or arguments.text != 9 or arguments.quick:
        raise AskedWrongly("figures of a chosen size need --format svg or --format pdf")
    else:
        written = authoring.figures(arguments.out or Path("images"))
    for path in written:
        print(path)


def _text(arguments: argparse.Namespace) -> None:
    from mnist_edu import authoring

    back = arguments.file_out.suffix == ".ipynb"
    (authoring.from_text if back else authoring.to_text)(arguments.file_in, arguments.file_out)


def _bands(arguments: argparse.Namespace) -> None:
    from mnist_edu import bands

    how = (arguments.seeds, arguments.full, arguments.source, arguments.out)
    bands.measure(arguments.numbers, *how)


if __name__ == "__main__":
    sys.exit(main())
