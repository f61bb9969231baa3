"""The tapes below some folders. One that cannot be played is listed with what is wrong with it, never left out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from pp_host.backtest.booktrace import BookCoverage, BookTrace
from pp_host.backtest.folder import BOOKS, MARKETS, PRICES, TapeFolder, require_pyarrow
from pp_host.errors import OperatorError


class Holding(Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """One tape. `name` is its path below the folder that was searched; microseconds UTC.

    problem: why it cannot be played, None when it can; then what follows is known
    markets: how many have a price or a book; `booked` of them have a book
    books:   what the recorded books show; None without any
    """

    name: str
    path: str
    problem: str | None
    markets: int | None = None
    booked: int | None = None
    steps: int | None = None
    first: int | None = None
    last: int | None = None
    digest: str | None = None
    books: BookCoverage | None = None


def holdings(roots: Sequence[Path]) -> Iterator[Holding]:
    """Every folder at or below `roots` with any file of a tape, and every one that cannot be looked into.

    Symlinks and folders whose name begins with a dot are not entered. Errors: OperatorError for a root that is
    no folder, or without pyarrow.
    """
    require_pyarrow()
    for root in roots:
        if not root.is_dir():
            raise OperatorError(
                f"{root}: not a folder", hint="pp data list DIR names folders that hold tapes"
            )
    for root in roots:
        yield from _below(root)


def _below(root: Path) -> Iterator[Holding]:
    closed: list[OSError] = []
    for place, folders, files in os.walk(root, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if {MARKETS, PRICES, BOOKS} & set(files):
            yield _holding(root, Path(place))
    for error in closed:
        path = Path(error.filename)
        yield Holding(_name(root, path), str(path), error.strerror or str(error))


def _holding(root: Path, folder: Path) -> Holding:
    name = _name(root, folder)
    try:
        read = TapeFolder.read(folder)
        survey = read.survey()
    except OperatorError as error:
        return Holding(name, str(folder), str(error).removeprefix(f"{folder}/"))
    return Holding(
        name=name,
        path=str(folder),
        problem=None,
        markets=len(survey.whole.markets),
        booked=len(survey.books.markets),
        steps=len(survey.whole.moments),
        first=survey.whole.moments[0],
        last=survey.whole.moments[-1],
        digest=read.digest,
        books=_books(read, len(survey.whole.moments)),
    )


def _books(read: TapeFolder, steps: int) -> BookCoverage | None:
    trace = BookTrace()
    for at, slot, book in read.books.books() if read.books else ():
        trace.take(at, slot % 2, book)
    return trace.told(steps)


def _name(root: Path, folder: Path) -> str:
    return folder.name if folder == root else str(folder.relative_to(root))
