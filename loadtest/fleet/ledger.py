"""The exact checker, cheap enough for every event of every client.

A `Book` knows what stands at each place of one conversation, a `Reader` how far one client got. A
client's timeline must be 1, 2, 3 … in `seq` and, conversation by conversation, in `n`; at each
place all must see the same message, and each sender's messages stand in the order in which he sent
them. No sockets and no clock in here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loadtest.fleet.tally import Tally

KEPT: Final = 256
"""Places of a conversation that stay known after everybody has passed them."""


class Book:
    """One conversation: what stands at which place, as far back as somebody may still ask."""

    __slots__ = ("_serials", "answered", "conv", "head", "marks", "readers")

    def __init__(self, conv: str) -> None:
        self.conv = conv
        self.head = 0
        self.answered = 0
        self.marks: dict[int, str] = {}
        self.readers: list[Reader] = []
        self._serials: dict[str, int] = {}

    def stands(self, n: int, mark: str, tally: Tally) -> None:
        """Somebody saw `mark` at place `n`: the first one is believed, all others must agree."""
        known = self.marks.get(n)
        if known is None:
            if n > self.head:
                self.head = n
                self._in_senders_order(n, mark, tally)
            self.marks[n] = mark
        elif known != mark:
            tally.fault("wrong", f"{self.conv} {n}: {mark}, others saw {known}")

    def _in_senders_order(self, n: int, mark: str, tally: Tally) -> None:
        """A message's mark is its key, `RUN-CLIENT-SERIAL`; a sender's serials rise."""
        sender, _, serial = mark.rpartition("-")
        if not serial.isdigit():
            return
        if int(serial) <= self._serials.get(sender, 0):
            tally.fault("order", f"{self.conv} {n}: {mark} after {self._serials[sender]}")
        self._serials[sender] = int(serial)

    def prune(self) -> None:
        """Forget what everybody has passed."""
        if len(self.marks) > 2 * KEPT and self.readers:
            least = min(reader.places.get(self.conv, 0) for reader in self.readers) - KEPT
            for n in [n for n in self.marks if n < least]:
                del self.marks[n]


class Ledger:
    """The conversations of one fleet."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.books: dict[str, Book] = {}

    def book(self, conv: str) -> Book:
        """The book of a conversation, begun if there is none."""
        found = self.books.get(conv)
        if found is None:
            found = self.books[conv] = Book(conv)
        return found

    def prune(self) -> None:
        """Keep memory flat in long runs."""
        for book in self.books.values():
            book.prune()

    def behind(self) -> int:
        """How many events are known to exist that a reader does not have yet."""
        return sum(
            book.head - reader.places.get(book.conv, 0)
            for book in self.books.values()
            for reader in book.readers
            if reader.places.get(book.conv, 0) < book.head
        ) + sum(len(reader.missing) for reader in self._readers())

    def close(self) -> None:
        """Nothing more will come: what is behind now is lost."""
        for book in self.books.values():
            for reader in book.readers:
                here = reader.places.get(book.conv, 0)
                if here < book.head:
                    words = f"{reader.name} has {book.conv} up to {here}, it goes to {book.head}"
                    self.tally.fault("lost", words, book.head - here)
        for reader in self._readers():
            if reader.missing:
                words = f"{reader.name} never got {sorted(reader.missing)[:5]}"
                self.tally.fault("lost", words, len(reader.missing))

    def _readers(self) -> Iterable[Reader]:
        return {reader for book in self.books.values() for reader in book.readers}


class Reader:
    """How far one client got: in its timeline, in each conversation, in the channel it has open."""

    __slots__ = ("_ledger", "missing", "name", "places", "seq")

    def __init__(self, name: str, ledger: Ledger) -> None:
        self.name = name
        self.seq = 0
        self.places: dict[str, int] = {}
        self.missing: set[int] = set()
        self._ledger = ledger

    def timeline(self, seq: int, conv: str, n: int, mark: str) -> bool:
        """Take the next event of the timeline; False when it is not news."""
        expected = self.seq + 1
        if seq != expected:
            return self._odd(seq, conv, n, mark)
        self.seq = seq
        # Of a channel a timeline has only what concerns its owner: no row of places.
        if not conv.startswith("channel:"):
            self._place(conv, n, mark)
        return True

    def _odd(self, seq: int, conv: str, n: int, mark: str) -> bool:
        tally = self._ledger.tally
        if seq in self.missing:
            self.missing.discard(seq)
            tally.fault("order", f"{self.name}: seq {seq} after {self.seq}")
            return True
        if seq <= self.seq:
            tally.fault("twice", f"{self.name}: seq {seq} again, it has {self.seq} ({conv} {n})")
            return False
        self.missing.update(range(self.seq + 1, seq))
        self.seq = seq
        if not conv.startswith("channel:"):
            # The hole in `seq` tells of it: the same hole in `n` is no second one.
            book = self.belongs(conv)
            self.places[conv] = n
            book.stands(n, mark, tally)
        return True

    def _place(self, conv: str, n: int, mark: str) -> None:
        book = self.belongs(conv)
        here = self.places[conv]
        if n != here + 1:
            kind, times = ("lost", n - here - 1) if n > here else ("twice", 1)
            words = f"{self.name}: {conv} {n} after {here}"
            self._ledger.tally.fault(kind, words, times)
        self.places[conv] = max(n, here)
        book.stands(n, mark, self._ledger.tally)

    def told_head(self, head: int) -> None:
        """The node says up to where it has sent; events below that should be here by now."""
        if head > self.seq:
            self.missing.update(range(self.seq + 1, head + 1))
            self.seq = head

    def belongs(self, conv: str) -> Book:
        """This reader must get everything of a conversation; its book."""
        book = self._ledger.book(conv)
        if conv not in self.places:
            self.places[conv] = 0
            book.readers.append(self)
        return book

    def opened(self, conv: str, head: int) -> None:
        """From `head` + 1 on this reader gets a channel."""
        if conv not in self.places:
            self.places[conv] = head
            book = self._ledger.book(conv)
            book.head = max(book.head, head)
            book.readers.append(self)

    def pushed(self, conv: str, n: int, mark: str) -> bool:
        """Take a push of an open channel; False when places before it are to be fetched first."""
        here = self.places[conv]
        if n <= here:
            self._ledger.tally.fault("twice", f"{self.name}: {conv} {n} again, it has {here}")
        elif n == here + 1:
            self.places[conv] = n
            self._ledger.book(conv).stands(n, mark, self._ledger.tally)
        return n <= here + 1
