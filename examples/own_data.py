"""A data folder of one's own: write it, learn from it, ask, save, open again."""

import csv
import random
import tempfile
from pathlib import Path

import inkling
from inkling import scenarios

COLOURS = ("red", "blue", "green")
THINGS = ("mug", "plate", "bowl", "lamp", "candle", "clock")


def write_folder(folder: Path, *, n_people: int = 45) -> None:
    """Write events.csv, items.csv and dataset.toml: people who each like one colour."""
    rng = random.Random(0)
    items = [(f"{colour}-{thing}", f"{colour} {thing}", colour) for colour in COLOURS for thing in THINGS]
    with (folder / "items.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("item_id", "title", "categories"), *items])
    with (folder / "events.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("user_id", "item_id", "timestamp", "event"))
        for person in range(n_people):
            own = [item for item in items if item[2] == COLOURS[person % 3]]
            for _ in range(14):
                item = rng.choice(own if rng.random() < 0.9 else items)
                rows.writerow((f"u{person}", item[0], 1_700_000_000 + rng.randrange(60 * 86_400), "purchase"))
    (folder / "dataset.toml").write_text('name = "shop"\nscenario = "retail"\ntime = "real"\n')


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "shop"
        folder.mkdir()
        write_folder(folder)
        engine = inkling.open().fit(
            folder, scenario=scenarios.load("retail"), settings={"n_windows": 1, "order": "fused"}
        )
        print("chosen order:", engine.pipeline.report().chosen)
        print("u0 likes red:", engine.recommend("u0", k=4).item_ids)
        engine.save(Path(place) / "bundle")
        again = inkling.open(bundle=Path(place) / "bundle")
        print("the same after saving:", again.recommend("u0", k=4).item_ids == engine.recommend("u0", k=4).item_ids)
        print("many at once:", [answer.item_ids[0] for answer in again.recommend(["u0", "u1", "u2"], k=1)])


if __name__ == "__main__":
    main()
