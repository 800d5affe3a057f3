"""Part `catalogue`: every item of the attack catalogue, with its honest twin."""

from __future__ import annotations

import cat_hidden
import cat_oracle
import cat_protocol
import cat_proxy
import cat_read
import cat_session
import cat_shadow
import cat_shared
import cat_tokens
import cat_write
from items import Item, Step
from report import Report
from stage import Stage
from world import SHOP, World

PART = "catalogue"
ITEM_COUNT = 154
# What these leave on a server connection must not become another item's failure.
SPOILS_CONNECTIONS = (44, 45, 99, 103)
ITEMS: list[Item] = [
    item
    for module in (cat_read, cat_hidden, cat_shared, cat_write, cat_session, cat_oracle,
                   cat_protocol, cat_proxy, cat_shadow, cat_tokens)
    for item in module.ITEMS
]  # fmt: skip


def run(report: Report, world: World, short: bool, only: tuple[int, ...] = ()) -> None:
    numbers = {item.number for item in ITEMS}
    report.row(PART, "complete", numbers == set(range(1, ITEM_COUNT + 1)),
               f"missing {sorted(set(range(1, ITEM_COUNT + 1)) - numbers)}")  # fmt: skip
    for database in (SHOP, "shop_tx"):
        world.wait_until_served(database)
    for item in ITEMS:
        if only and item.number not in only:
            continue
        for database in _places(item, short):
            attack(report, world, item, database)
            _twin(report, world, item, database)
    stands = world.policy("verify", SHOP)
    report.row(PART, "the wall stands at the end", stands.returncode == 0, stands.stdout[-400:])
    report.note(PART, f"{len(ITEMS)} items, {world.heard} bytes heard and searched for canaries")


def _places(item: Item, short: bool) -> tuple[str, ...]:
    if item.database:
        return (item.database,)
    return (SHOP,) if short and item.number % 2 else ("shop_tx",) if short else (SHOP, "shop_tx")


def _name(item: Item, what: str, database: str) -> str:
    pooling = {SHOP: "session", "shop_tx": "transaction"}.get(database, database)
    return f"{item.label()}, {what} [{pooling}]"


def attack(report: Report, world: World, item: Item, database: str) -> None:
    before = world.digest(database)
    wrong, canaries, linted = _play(world, item, database, item.attack)
    if canaries and linted:
        # A mistake of the schema that row security cannot mend: lint is what closes it.
        report.note(PART, f"{item.label()}: open on the spoilt schema, named by lint")
    elif canaries:
        wrong.append(f"LEAK: the attacker was sent {', '.join(canaries[:5])}")
    if not linted and world.digest(database) != before:
        wrong.append("LEAK: the rows of the victim are not as they were")
    report.row(PART, _name(item, "attack", database), not wrong, "\n    ".join(wrong))
    world.fill(database, world.seed)


def _twin(report: Report, world: World, item: Item, database: str) -> None:
    place = database if database in (SHOP, "shop_tx") else SHOP
    wrong, canaries, _ = _play(world, item, place, item.twin)
    if canaries:
        wrong.append(f"LEAK: the twin was sent {', '.join(canaries[:5])}")
    if not item.twin:
        wrong.append("there is no twin")
    report.row(PART, _name(item, "twin", place), not wrong, "\n    ".join(wrong))
    world.fill(place, world.seed)
    if item.number in SPOILS_CONNECTIONS:
        world.end_server_connections()


def _play(
    world: World, item: Item, database: str, steps: tuple[Step, ...]
) -> tuple[list[str], list[str], bool]:
    with Stage(world, database, item.number) as stage:
        try:
            wrong = stage.play(steps)
        except Exception as error:  # one item's trouble is not the others'
            wrong = [f"{type(error).__name__}: {error}"]
        return wrong, stage.canaries(), stage.linted
