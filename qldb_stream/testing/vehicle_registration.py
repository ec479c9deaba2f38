"""
A story to record: a department of motor vehicles keeps its books in a ledger.

It is told through PartiQL with parameters to anything that has pyqldb's driver
interface, and it does what an application does: tables and indexes, inserts, updates of
nested fields and of whole documents, transfers of ownership, deletes, reads. Documents
refer to each other by document id, forwards and in circles (a vehicle names its
registration, which names the vehicle), so that a replay has ids to rewrite.

One seed tells one story, up to what the ledger itself decides: ids and times.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

import attrs

from qldb_stream.replay import Driver, Transaction

__all__ = ["Chapter", "tell_story"]

TABLES: Final = ("Person", "DriversLicense", "Vehicle", "VehicleRegistration")

INDEXES: Final = (
    ("Person", "GovId"),
    ("DriversLicense", "LicenseNumber"),
    ("DriversLicense", "PersonId"),
    ("Vehicle", "VIN"),
    ("VehicleRegistration", "VIN"),
    ("VehicleRegistration", "LicensePlateNumber"),
)

_FIRST_NAMES: Final = ("Ada", "Bela", "Chen", "Dolores", "Emeka", "Freya", "Gita", "Hugo", "Ines")
_LAST_NAMES: Final = ("Abara", "Brandt", "Cruz", "Dahl", "Egorov", "Fofana", "Gupta", "Haas")
_STREETS: Final = ("Acorn Lane", "Birch Road", "Cedar Street", "Dock Avenue", "Elm Square")
_MODELS: Final = (
    ("Aurora", "Finch", "Sedan"),
    ("Boreal", "Heron", "Truck"),
    ("Comet", "Swift", "Motorcycle"),
    ("Delta", "Crane", "Semi"),
)
_COLORS: Final = ("black", "blue", "green", "red", "white")
# Letters and digits of a vehicle identification number: never I, O or Q.
_VIN_SIGNS: Final = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
_FIRST_DAY: Final = datetime(2016, 1, 1, tzinfo=UTC)


@attrs.frozen
class Chapter:
    """One part of the story: what it did, in how many transactions and revisions."""

    title: str
    transactions: int
    revisions: int


@attrs.frozen
class _Books:
    """What the clerk remembers between chapters: ids by natural key."""

    driver: Driver
    chance: random.Random
    vehicles: int
    people: dict[str, str] = attrs.field(factory=dict)  # government id -> document id
    licences: list[str] = attrs.field(factory=list)  # licence numbers
    registered: dict[str, str] = attrs.field(factory=dict)  # VIN -> vehicle's document id


def tell_story(driver: Driver, *, seed: int = 1, vehicles: int = 60) -> Iterator[Chapter]:
    """
    Tell the story to a driver, a chapter at a time.

    Args:
        driver: anything with pyqldb's `execute_lambda`; its ledger has none of the
            story's tables yet.
        seed: chooses names, numbers and who sells what to whom.
        vehicles: how many are registered; half as many people own them. At least 2.

    Yields:
        What each chapter did, after it was committed.
    """
    books = _Books(driver, random.Random(seed), vehicles)
    for title, chapter in _CHAPTERS:
        transactions = revisions = 0
        for change in chapter(books):
            transactions += 1
            revisions += change
        yield Chapter(title, transactions, revisions)


# --- chapters: each yields, for every transaction, the number of revisions it wrote ---------


def _create_tables(books: _Books) -> Iterator[int]:
    for table in TABLES:
        _run(books, f"CREATE TABLE {table}")
        yield 0


def _create_indexes(books: _Books) -> Iterator[int]:
    for table, field in INDEXES:
        _run(books, f"CREATE INDEX ON {table} ({field})")
        yield 0


def _register_people(books: _Books) -> Iterator[int]:
    people = [_person(books.chance, number) for number in range(max(2, books.vehicles // 2))]
    # Several documents by one statement: the parameter is a list of documents.
    for batch in (people[at : at + 10] for at in range(0, len(people), 10)):
        ids = _document_ids(_run(books, "INSERT INTO Person ?", batch))
        books.people.update(zip((person["GovId"] for person in batch), ids, strict=True))
        yield len(batch)


def _issue_licences(books: _Books) -> Iterator[int]:
    for gov_id, person_id in books.people.items():
        number = f"LN{gov_id[2:]}"
        licence = _licence(books.chance, number, person_id)
        yield len(_run(books, "INSERT INTO DriversLicense ?", licence))
        books.licences.append(number)


def _register_vehicles(books: _Books) -> Iterator[int]:
    owners = list(books.people.values())
    for number in range(books.vehicles):
        vehicle = _vehicle(books.chance)
        registration = _registration(books.chance, number, vehicle["VIN"], owners)
        books.registered[vehicle["VIN"]] = books.driver.execute_lambda(
            partial(_register_vehicle, vehicle=vehicle, registration=registration),
        )
        yield 2


def _move_house(books: _Books) -> Iterator[int]:
    statement = "UPDATE Person AS p SET p.Address = ?, p.Moved = true WHERE p.GovId = ?"
    for gov_id in _some(books, books.people):
        yield len(_run(books, statement, _address(books.chance), gov_id))


def _sell_vehicles(books: _Books) -> Iterator[int]:
    people = list(books.people.values())
    for vin in _some(books, books.registered):
        buyer = books.chance.choice(people)
        books.driver.execute_lambda(partial(_transfer_ownership, vin=vin, buyer=buyer))
        yield 1


def _add_second_owners(books: _Books) -> Iterator[int]:
    people = list(books.people.values())
    statement = "UPDATE VehicleRegistration AS r SET r.Owners.SecondaryOwners = ? WHERE r.VIN = ?"
    for vin in _some(books, books.registered):
        yield len(_run(books, statement, [{"PersonId": books.chance.choice(people)}], vin))


def _correct_entries(books: _Books) -> Iterator[int]:
    for vehicle_id in _some(books, books.registered.values()):
        color = books.chance.choice(_COLORS)
        books.driver.execute_lambda(partial(_repaint, vehicle_id=vehicle_id, color=color))
        yield 1


def _return_licences(books: _Books) -> Iterator[int]:
    statement = "DELETE FROM DriversLicense AS d WHERE d.LicenseNumber = ?"
    for number in _some(books, books.licences):
        yield len(_run(books, statement, number))


def _take_stock(books: _Books) -> Iterator[int]:
    for table in TABLES:
        _run(books, f"SELECT COUNT(*) FROM {table}")  # noqa: S608 - one of the constants above
        yield 0


_CHAPTERS: Final[tuple[tuple[str, Callable[[_Books], Iterator[int]]], ...]] = (
    ("tables are created", _create_tables),
    ("indexes are created", _create_indexes),
    ("people are entered", _register_people),
    ("driving licences are issued", _issue_licences),
    ("vehicles are registered", _register_vehicles),
    ("people move house", _move_house),
    ("vehicles are sold", _sell_vehicles),
    ("second owners are added", _add_second_owners),
    ("entries are corrected", _correct_entries),
    ("licences are returned and deleted", _return_licences),
    ("stock is taken (reads only)", _take_stock),
)


# --- transactions of several statements -----------------------------------------------------


def _register_vehicle(
    txn: Transaction,
    *,
    vehicle: Mapping[str, Any],
    registration: Mapping[str, Any],
) -> str:
    """Enter a vehicle and its registration, which name each other; give the vehicle's id."""
    (vehicle_id,) = _document_ids(txn.execute_statement("INSERT INTO Vehicle ?", vehicle))
    linked = {**registration, "VehicleId": vehicle_id}
    (registration_id,) = _document_ids(
        txn.execute_statement("INSERT INTO VehicleRegistration ?", linked),
    )
    txn.execute_statement(
        "UPDATE Vehicle AS v SET v.RegistrationId = ? WHERE v.VIN = ?",
        registration_id,
        vehicle["VIN"],
    )
    return vehicle_id


def _transfer_ownership(txn: Transaction, *, vin: str, buyer: str) -> None:
    """Make the buyer the primary owner, and keep who sold."""
    (seller,) = txn.execute_statement(
        "SELECT VALUE r.Owners.PrimaryOwner.PersonId FROM VehicleRegistration AS r WHERE r.VIN = ?",
        vin,
    )
    txn.execute_statement(
        "UPDATE VehicleRegistration AS r SET r.Owners.PrimaryOwner.PersonId = ?, "
        "r.FormerOwner = ? WHERE r.VIN = ?",
        buyer,
        seller,
        vin,
    )


def _repaint(txn: Transaction, *, vehicle_id: str, color: str) -> None:
    """Read a whole document by its id, and write it back changed."""
    (row,) = txn.execute_statement("SELECT v.* FROM Vehicle AS v BY vid WHERE vid = ?", vehicle_id)
    txn.execute_statement(
        "UPDATE Vehicle AS v BY vid SET v = ? WHERE vid = ?",
        {**row, "Color": color, "Repainted": True},
        vehicle_id,
    )


def _run(books: _Books, statement: str, *parameters: Any) -> list[Any]:
    """Run one statement in its own transaction and give its rows."""

    def work(txn: Transaction) -> list[Any]:
        return list(txn.execute_statement(statement, *parameters))

    rows: list[Any] = books.driver.execute_lambda(work)
    return rows


def _document_ids(rows: Iterable[Any]) -> list[str]:
    """Give the ids of the documents that a statement wrote, in order."""
    return [str(row["documentId"]) for row in rows]


def _some(books: _Books, keys: Iterable[str]) -> list[str]:
    """Choose a third of the keys, at least one, the same for the same seed."""
    ordered = list(keys)
    return books.chance.sample(ordered, max(1, len(ordered) // 3))


# --- documents ------------------------------------------------------------------------------


def _person(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        "FirstName": chance.choice(_FIRST_NAMES),
        "LastName": chance.choice(_LAST_NAMES),
        "DOB": _FIRST_DAY - timedelta(days=chance.randrange(7_000, 25_000)),
        "GovId": f"ID{number:06d}",
        "GovIdType": "Passport",
        "Address": _address(chance),
    }


def _address(chance: random.Random) -> dict[str, Any]:
    return {"Street": chance.choice(_STREETS), "Number": chance.randrange(1, 400)}


def _licence(chance: random.Random, number: str, person_id: str) -> dict[str, Any]:
    issued = _FIRST_DAY + timedelta(days=chance.randrange(1_000))
    return {
        "PersonId": person_id,
        "LicenseNumber": number,
        "LicenseType": chance.choice(("Learner", "Probationary", "Full")),
        "ValidFromDate": issued,
        "ValidToDate": issued + timedelta(days=3_650),
    }


def _vehicle(chance: random.Random) -> dict[str, Any]:
    make, model, kind = chance.choice(_MODELS)
    return {
        "VIN": "".join(chance.choices(_VIN_SIGNS, k=17)),
        "Type": kind,
        "Year": chance.randrange(1995, 2021),
        "Make": make,
        "Model": model,
        "Color": chance.choice(_COLORS),
    }


def _registration(
    chance: random.Random,
    number: int,
    vin: str,
    owners: list[str],
) -> dict[str, Any]:
    valid_from = _FIRST_DAY + timedelta(days=chance.randrange(1_000))
    return {
        "VIN": vin,
        "LicensePlateNumber": f"QL{number:05d}",
        "City": chance.choice(("Seaport", "Hillside", "Riverbend")),
        "PendingPenaltyTicketAmount": Decimal(chance.randrange(50_000)).scaleb(-2),
        "ValidFromDate": valid_from,
        "ValidToDate": valid_from + timedelta(days=1_461),
        "Owners": {"PrimaryOwner": {"PersonId": chance.choice(owners)}, "SecondaryOwners": []},
    }
