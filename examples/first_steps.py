"""Items, one event, an answer; another event, another answer. No data and no fit are needed to begin."""

import inkling

TITLES = {"1": "red mug", "2": "blue mug", "3": "garden lantern", "4": "paper lantern", "5": "wool blanket"}


def main() -> None:
    engine = inkling.open()
    engine.put_items([{"item_id": item_id, "title": title} for item_id, title in TITLES.items()])
    engine.read_all()
    engine.observe([{"user_id": "alice", "item_id": "1"}])
    for item in engine.recommend("alice", k=2, explain=True).items:
        print(f"{TITLES[item.item_id]:15} {item.score:.2f}  {item.reason.text if item.reason else ''}")
    version = engine.observe([{"user_id": "alice", "item_id": "3"}])
    answer = engine.recommend("alice", k=2, min_version=version)
    print([TITLES[item_id] for item_id in answer.item_ids])


if __name__ == "__main__":
    main()
