"""A small engine in memory that keeps the contract: popular items, what goes with what you had, and your own again."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, defaultdict

from inkling.core.errors import NotFoundError, RequestError, VersionError
from inkling.core.recommendation import Reason, Recommendation, RecommendedItem
from inkling.engine.base import Accepted, Ask, Asked, AskedOption, Onboarded, ReadingStatus, Receipt, Rejected

TEXTS = {
    "en": {"repeat": "You had this before", "because_item": "Goes with “{}”", "popular": "Many people choose this now"},
    "zh": {"repeat": "您以前选过", "because_item": "与《{}》搭配", "popular": "最近很多人选择"},
}


class FakeEngine:
    """What a server needs of an engine, and nothing clever."""

    def __init__(self):
        self.items, self.users, self.log = {}, {}, defaultdict(list)
        self.popular, self.pairs = Counter(), defaultdict(Counter)
        self.n_events, self._version, self._ids, self._lock = 0, 0, itertools.count(1), threading.Lock()
        self.writer_threads, self.asked, self.closed = set(), [], False
        self.fail_with = None

    def _moved(self):
        self.writer_threads.add(threading.get_ident())
        self._version += 1
        return self._version

    @property
    def version(self):
        return self._version

    def recommend(self, user_id=None, **ask):
        if isinstance(user_id, (list, tuple)):
            return [self.ask(Ask(user_id=one, **ask)) for one in user_id]
        return self.ask(Ask(user_id=user_id, **ask))

    def ask(self, question):
        if self.fail_with:
            raise self.fail_with
        self.asked.append(question)
        started = time.perf_counter()
        if not 0 <= question.k <= 10_000:
            raise RequestError(f"k is {question.k}; expected 0 to 10000.")
        if question.min_version is not None and question.min_version > self._version:
            raise VersionError(f"Version {question.min_version} was never issued; the newest is {self._version}.")
        scores = self._scores(question)
        allowed = [key for key in scores if self._allowed(question, key)]
        found = time.perf_counter()
        best = sorted(allowed, key=lambda key: (-sum(scores[key].values()), key))[: question.k]
        items = tuple(self._line(question, key, scores[key]) for key in best)
        done = time.perf_counter()
        stages = {"retrieve": found - started, "rank": (done - found) / 2, "policy": (done - found) / 2}
        return Recommendation(
            id=f"r{next(self._ids)}",
            items=items,
            version=self._version,
            bundle="toy-1",
            arm="default",
            timings_ms={name: value * 1000 for name, value in stages.items()},
        )

    def _scores(self, question):
        who = question.user_id or question.session_id or ""
        had = list(question.history) if question.history is not None else [e["item_id"] for e in self.log[who]]
        top = max(self.popular.values(), default=0) or 1
        scores = {key: {"popular": 0.4 * self.popular[key] / top} for key in self.items}
        for item_id, n in Counter(had).items():
            if item_id in scores:
                scores[item_id]["repeat"] = min(0.3, 0.2 * n)
            for other, count in self.pairs[item_id].items():
                if other in scores:
                    scores[other]["with:" + item_id] = min(0.6, 0.15 * count)
        for key, row in self.items.items():
            words = str(row.get("title", "")).lower().split()
            scores[key]["text"] = 0.8 * sum(word in (question.text or "").lower() for word in words)
        return scores

    def _allowed(self, question, key):
        if key in question.exclude or (question.candidates is not None and key not in question.candidates):
            return False
        rules = (question.filter or {}).get("all", [])
        return all(str(rule["value"]).lower() in str(self.items[key].get(rule["field"], "")).lower() for rule in rules)

    def _line(self, question, key, parts):
        strongest = max(parts, key=lambda name: parts[name])
        kind, _, cause = strongest.partition(":")
        kind = {"with": "because_item", "text": "popular"}.get(kind, kind)
        title = self.items.get(cause, {}).get("title", cause)
        text = TEXTS.get(question.language, TEXTS["en"])[kind].format(title)
        total = sum(parts.values()) or 1
        merged = Counter()
        for name, value in parts.items():
            merged[name.partition(":")[0]] += value / total
        shares = {name: value for name, value in merged.items() if value} if question.explain else {}
        reason = Reason(kind=kind, text=text, item_ids=(cause,) if cause else (), contributions=shares)
        return RecommendedItem(item_id=key, score=sum(parts.values()), source=kind, reason=reason)

    def similar(self, item_id, *, k=10):
        self.get_item(item_id)
        near = [(other, n) for other, n in self.pairs[item_id].most_common() if other in self.items][: max(k, 0)]
        items = tuple(RecommendedItem(item_id=key, score=float(n), source="because_item") for key, n in near)
        return Recommendation(id=f"r{next(self._ids)}", items=items, version=self._version)

    def score(self, user_id, item_ids):
        scores = self._scores(Ask(user_id=user_id))
        return [sum(scores.get(item_id, {}).values()) for item_id in item_ids]

    def observe(self, events):
        return self.ingest(events).version

    def ingest(self, events):
        bad = []
        for index, row in enumerate(events):
            if not isinstance(row, dict) or not isinstance(row.get("item_id"), str):
                bad.append(Rejected(index, "item_id is missing."))
                continue
            who = str(row.get("user_id") or row.get("session_id") or "")
            if not who:
                bad.append(Rejected(index, "neither user_id nor session_id is given."))
                continue
            with self._lock:
                self._take(who, row)
        return Accepted(self._moved(), len(events) - len(bad), tuple(bad))

    def _take(self, who, row):
        self.users.setdefault(who, {"user_id": who})
        for earlier in {event["item_id"] for event in self.log[who][-5:]} - {row["item_id"]}:
            self.pairs[earlier][row["item_id"]] += 1
            self.pairs[row["item_id"]][earlier] += 1
        self.popular[row["item_id"]] += 1
        self.n_events += 1
        event = {"item_id": row["item_id"], "event": row.get("event", "interaction")}
        self.log[who].append({**event, "timestamp": row.get("timestamp", int(time.time() * 1000))})

    def put_items(self, rows):
        for row in rows:
            self.items[row["item_id"]] = dict(row)
        return self._moved()

    def user_profile(self, user_id, *, language="en"):
        known = self.get_user(user_id)
        likes = [
            self.items[event["item_id"]].get("title", "")
            for event in self.log[user_id]
            if event["item_id"] in self.items
        ]
        name = {"en": "Likes", "zh": "喜欢"}[language]
        told = {"user_id": user_id, "about": known.get("about", ""), "likes": likes[:3], "cares_about": ["price"]}
        return {**told, "version": f"0-{self._version}", "text": f"{name}: {', '.join(likes[:3])}"}

    def item_profile(self, item_id, *, language="en"):
        row = self.get_item(item_id)
        good = {"en": "Good at", "zh": "优点"}[language]
        told = {"item_id": item_id, "title": row.get("title", ""), "good_at": ["handle"], "bad_at": ["lid"]}
        return {**told, "version": f"0-{self._version}", "text": f"{good}: handle"}

    def patch_user_profile(self, user_id, changes):
        return self.patch_user(user_id, changes)

    def patch_item_profile(self, item_id, changes):
        return self.patch_item(item_id, changes)

    def onboarding(self, answers=(), *, language="en"):
        keys = tuple(self.items)[:2]
        none = {"en": "None of these", "zh": "都不是"}[language]
        options = tuple(AskedOption(self.items[key].get("title", ""), (key,)) for key in keys)
        history = tuple(keys[answer] for answer in answers if answer >= 0)
        return Onboarded(None if len(answers) > 1 else Asked("Which?", options, none), history)

    def reading(self):
        return ReadingStatus(read=len(self.items))

    def read_all(self, timeout_s=60.0):
        return True

    def put_users(self, rows):
        for row in rows:
            self.users[row["user_id"]] = dict(row)
        return self._moved()

    def patch_item(self, item_id, changes):
        self.get_item(item_id).update(changes)
        return self._moved()

    def patch_user(self, user_id, changes):
        if user_id not in self.users:
            raise NotFoundError(f"There is no user '{user_id}'.")
        self.users[user_id].update(changes)
        return self._moved()

    def delete_item(self, item_id):
        self.get_item(item_id)
        del self.items[item_id]
        return self._moved()

    def get_item(self, item_id):
        if item_id not in self.items:
            raise NotFoundError(f"There is no item '{item_id}'.", hint="Put it first.")
        return self.items[item_id]

    def get_user(self, user_id):
        if user_id not in self.users:
            raise NotFoundError(f"There is no user '{user_id}'.")
        return {**self.users[user_id], "n_events": len(self.log[user_id])}

    def find_items(self, text="", *, limit=20):
        rows = (row for row in self.items.values() if text.lower() in str(row.get("title", "")).lower())
        return list(itertools.islice(rows, limit))

    def find_users(self, prefix="", *, limit=20):
        return sorted(user for user in self.users if user.startswith(prefix))[:limit]

    def history(self, user_id, *, limit=50):
        return self.log.get(user_id, [])[::-1][:limit]

    def merge(self, user_id, session_id):
        self.log[user_id] += self.log.pop(session_id, [])
        return self._moved()

    def explain(self, user_id, item_id):
        self.get_item(item_id)
        parts = self._scores(Ask(user_id=user_id))[item_id]
        return {"user_id": user_id, "item_id": item_id, "features": parts, "contributions": parts}

    def erase(self, user_id):
        self.get_user(user_id)
        removed = {"log": len(self.log.pop(user_id, [])), "users": int(self.users.pop(user_id, None) is not None)}
        return Receipt(user_id, self._moved(), removed)

    def about(self):
        return {
            "name": "inkling",
            "version": "0.1.0",
            "bundle": "toy-1",
            "scenario": "retail",
            "events": ["view", "cart", "purchase"],
            "target_event": "purchase",
            "n_items": len(self.items),
            "n_users": len(self.users),
            "n_events": self.n_events,
            "quality": {"ndcg@10": 0.381, "hit@10": 0.62},
            "members": ["popular", "because_item", "repeat"],
        }

    def close(self):
        self.closed = True
