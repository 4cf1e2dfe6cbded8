"""One answer in process, ours beside what a user would put together, on one core: ``python -m bench latency peers``.

The same work on the same data: a person's last 50 events through the same sequence model (64 numbers), 200 candidates
from an index, the same columns through a ranker, ten of them with variety. Data: a generated catalogue (a million items
in clusters; ours is the pipeline ``lean``, with a small network as its order and with the peers' kind of trees) and the
bundled shop (ours is what its fit chose, which looks at far more than a peer does), where sentences are asked, too.

Peers live in environments of their own: ``assembled`` as a user first puts parts together (torch,
sentence-transformers, flat faiss, LightGBM; reported only), ``tuned`` with care (ONNX Runtime int8, inverted lists at a
recall of .95, the fastest of three kinds of trees). Each contender is a process on the same core that is asked over a
pipe, by turns, and timed inside.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from bench._kept import OUT, keep
from bench._shop import shop_bundle
from bench.latency._asked import PEERS, Contender, ContenderError, Told, peer_python, spare_core
from bench.latency._world import World
from bench.peers._venv import NoPeerError

OURS, OURS_TREES = "ours", "ours, trees"
"""Where a world has both: with a small network as the order, and with trees of the peers' size."""
GOAL_RATIO, GOAL_P50_MS, GOAL_P99_MS = 3.0, 0.5, 2.0
WORLDS = ("generated", "shop")


def row(answers: Sequence[Told]) -> dict[str, float]:
    """Return microseconds of one answer, answers a second by the wall's and by the processor's clock, and memory."""
    wall = np.concatenate([np.asarray(told.wall_ns) for told in answers]) / 1000
    cpu = np.concatenate([np.asarray(told.cpu_ns) for told in answers]) / 1000
    return {
        "n": len(wall),
        "p50_us": float(np.percentile(wall, 50)),
        "p99_us": float(np.percentile(wall, 99)),
        "per_s": float(1e6 / wall.mean()),
        "per_cpu_s": float(1e6 / max(cpu.mean(), 1e-3)),
        "mb": float(answers[-1].mb),
    }


def ratios(rows: Mapping[str, Mapping[str, float]], ours_name: str = OURS) -> dict[str, dict[str, float]]:
    """Return how often ours answers where a peer answers once, by either clock; and the peer's p50 over ours."""
    ours = rows.get(ours_name)
    if ours is None:
        return {}
    return {
        name: {
            "throughput": ours["per_s"] / one["per_s"],
            "throughput_cpu": ours["per_cpu_s"] / one["per_cpu_s"],
            "p50": one["p50_us"] / ours["p50_us"],
        }
        for name, one in rows.items()
        if name in PEERS
    }


def agreement(first: Sequence[Sequence[str]], second: Sequence[Sequence[str]]) -> float:
    """Return the mean share of one list's items that the other has, too."""
    shares = [len(set(a) & set(b)) / len(a) for a, b in zip(first, second, strict=True) if len(a)]
    return float(np.mean(shares)) if shares else 0.0


def by_turns(
    contenders: Sequence[Contender], kind: str, asked: Sequence[str], *, k: int, rounds: int
) -> dict[str, list[Told]]:
    """Return everyone's answers: in each round all are asked the same, and another one begins."""
    found: dict[str, list[Told]] = {one.name: [] for one in contenders}
    parts = np.array_split(np.arange(len(asked)), rounds)
    for turn, part in enumerate(parts):
        mine = [asked[at] for at in part.tolist()]
        for at in range(len(contenders)):
            one = contenders[(turn + at) % len(contenders)]
            found[one.name].append(one.ask(kind, mine, k))
    return found


def asked_of(world: World, kind: str, n: int) -> list[str]:
    """Return ``n`` people, or texts, spread evenly over all of them and in any order."""
    names = world.user_ids if kind == "people" else world.texts
    return [names[at] for at in np.random.default_rng(5).permutation(len(names))[:n].tolist()]


def measured(contenders: Sequence[Contender], world: World, kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return what was measured with one kind of questions."""
    asked = asked_of(world, kind, options.answers if kind == "people" else max(options.answers // 4, 20))
    for one in contenders:
        one.ask(kind, asked[:50], options.k)  # what is made on the first question is not part of an answer
    found = by_turns(contenders, kind, asked, k=options.k, rounds=options.rounds)
    rows = {name: row(answers) for name, answers in found.items()}
    lists = {name: [ids for told in answers for ids in told.ids] for name, answers in found.items()}
    alike = {name: agreement(lists["tuned"], own) for name, own in lists.items()} if "tuned" in lists else {}
    found = {"rows": rows, "ratios": ratios(rows), "overlap_with_tuned": alike}
    return found | ({"ratios_of_trees": ratios(rows, OURS_TREES)} if OURS_TREES in rows else {})


def goals(found: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, float, float, bool]]:
    """Return each goal with its value, its limit and whether it was reached, as far as it was measured."""
    told = []
    for name, one in found.items():
        if "tuned" in one["ratios"]:
            value = one["ratios"]["tuned"]["throughput"]
            told.append((f"{name}: throughput, times the tuned peer's", value, GOAL_RATIO, value >= GOAL_RATIO))
        if "tuned" in one.get("ratios_of_trees", {}):
            value = one["ratios_of_trees"]["tuned"]["throughput"]
            told.append((f"{name}: the same, ours with trees", value, GOAL_RATIO, value >= GOAL_RATIO))
    own = found.get("generated, people", {}).get("rows", {}).get(OURS)
    if own:
        for what, limit in (("p50", GOAL_P50_MS), ("p99", GOAL_P99_MS)):
            ms = own[f"{what}_us"] / 1000
            told.append((f"generated, people: {what} of ours, ms", ms, limit, ms <= limit))
    return told


def show(name: str, found: Mapping[str, Any]) -> None:
    """Print a table."""
    print(f"\n{name:<24} {'p50 us':>10} {'p99 us':>10} {'per s':>9} {'per cpu s':>10} {'MB':>7} {'ours is':>9}")
    for who, one in found["rows"].items():
        times = found["ratios"].get(who, {}).get("throughput")
        said = f"{times:>8.2f}x" if times is not None else f"{'-':>9}"
        print(
            f"{who:<24} {one['p50_us']:>10,.0f} {one['p99_us']:>10,.0f} {one['per_s']:>9,.0f} "
            f"{one['per_cpu_s']:>10,.0f} {one['mb']:>7,.0f} {said}"
        )


def started(name: str, world: World, options: argparse.Namespace, stack: ExitStack) -> Contender | None:
    """Return a contender that has read the world; None, with the reason printed, where it cannot be had."""
    core = spare_core(options.core)
    try:
        if name not in PEERS:
            command = [sys.executable, "-m", "bench.latency._ours", bundle_for(world, options, name), str(core)]
        else:
            python = peer_python(name, dict(options.python))
            command = [python, "-m", f"bench.latency.peer_{name}.pipe", world.folder.resolve(), str(core)]
        return stack.enter_context(Contender(name, command)).open()
    except (NoPeerError, ContenderError) as error:
        print(f"{name} is left out: {error}", file=sys.stderr)
        return None


def bundle_for(world: World, options: argparse.Namespace, name: str = OURS) -> Path:
    """Return the folder of ours for a world: the shop's own bundle, or one that is made of the generated world."""
    from bench.latency._bundles import bundle_of

    if world.about["name"] == "shop":
        return shop_bundle(options.bundle, out=options.out).resolve()
    return bundle_of(world, "gbdt" if name == OURS_TREES else "mimic", out=options.out).resolve()


def world_of(name: str, options: argparse.Namespace) -> World:
    """Return one of the worlds, made where it is missing."""
    from bench.latency._worlds import generated, shop

    if name == "generated":
        return generated(options.items, options.people, out=options.out, blocks=options.blocks)
    return shop(shop_bundle(options.bundle, out=options.out), out=options.out)


def pair(given: str) -> tuple[str, str]:
    """Read NAME=PATH."""
    name, _, path = given.partition("=")
    if name not in PEERS or not path:
        raise argparse.ArgumentTypeError(f"'{given}' is not NAME=PATH with NAME one of {', '.join(PEERS)}.")
    return name, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this bench and that of serving have in common."""
    parser.add_argument("--items", type=int, default=1_000_000, help="items of the generated catalogue (1000000)")
    parser.add_argument("--people", type=int, default=3000, help="its people (3000)")
    parser.add_argument("--blocks", type=int, default=1, help="layers of the sequence model there (1, as ours has it)")
    parser.add_argument("--bundle", type=Path, help="a fitted bundle of the shop; default: fitted once")
    parser.add_argument("--worlds", default=",".join(WORLDS), help=f"which data ({','.join(WORLDS)})")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"which peers ({','.join(PEERS)}); none for none")
    parser.add_argument(
        "--python",
        type=pair,
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a peer's interpreter, built by you",
    )
    parser.add_argument("-k", type=int, default=10, help="length of an answer (10)")
    parser.add_argument("--core", type=int, default=0, help="the core that contenders share, by its number (0)")
    parser.add_argument("--quick", action="store_true", help="find out whether all of it runs; no number counts")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")


def chosen(options: argparse.Namespace) -> list[str]:
    """Return the contenders' names."""
    return [OURS, *(name for name in options.peers.split(",") if name in PEERS)]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="bench.latency.peers", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--answers", type=int, default=2000, help="questions to each contender (2000)")
    parser.add_argument("--rounds", type=int, default=10, help="turns that they are asked in (10)")
    options = parser.parse_args(argv)
    if options.quick:
        options.items, options.people, options.answers, options.rounds = 60_000, 300, 100, 2
    options.out.mkdir(parents=True, exist_ok=True)
    kept = "latency-peers-quick" if options.quick else "latency-peers"
    found: dict[str, Any] = {"k": options.k, "quick": options.quick, "about": {}, "measured": {}}
    for name in options.worlds.split(","):
        world = world_of(name, options)
        with ExitStack() as stack:
            who = [OURS, *((OURS_TREES,) if name == "generated" else ()), *chosen(options)[1:]]
            contenders = [one for each in who if (one := started(each, world, options, stack)) is not None]
            found["about"][name] = {one.name: one.about for one in contenders}
            for kind in ("people", "texts") if world.texts else ("people",):
                found["measured"][f"{name}, {kind}"] = one = measured(contenders, world, kind, options)
                keep(kept, found, out=options.out)
                show(f"{name}, {kind}", one)
    found["goals"] = goals(found["measured"])
    keep(kept, found, out=options.out)
    print()
    for what, value, limit, reached in found["goals"]:
        print(f"{what}: {value:.2f}, goal {limit:g}: {'reached' if reached else 'MISSED'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
