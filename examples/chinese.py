"""A person who has done nothing yet types a sentence: 我喜欢看电影和旅游. The same in English."""

import inkling


def main() -> None:
    engine = inkling.open()
    engine.put_items([{"item_id": word, "title": word} for word in ("电影", "旅游", "运动", "美食", "音乐")])
    engine.read_all()
    answer = engine.recommend(text="我喜欢看电影和旅游", k=2, explain=True, language="zh")
    for item in answer.items:
        print(item.item_id, f"{item.score:.2f}", item.reason.text if item.reason else "")
    english = inkling.open()
    english.put_items([{"item_id": word, "title": word} for word in ("films", "travel", "sports", "food", "music")])
    english.read_all()
    print(english.recommend(text="I like films and travel", k=2).item_ids)


if __name__ == "__main__":
    main()
