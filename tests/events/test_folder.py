import gzip
import json

import polars as pl
import pytest

from inkling.core.errors import ConfigError, DataError
from inkling.events.folder import find_files, load_folder, with_events
from inkling.events.schema import DatasetInfo

EVENTS = "user_id,item_id,timestamp\nu,i,1291200000\nu,j,never\nv,i,1291200060\n"


def fill(folder, **files):
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


def test_all_four_tables_and_what_they_gave(tmp_path):
    fill(
        tmp_path,
        events__csv=EVENTS,
        items__jsonl='{"item_id":"i","title":"a"}\n{"item_id":"i","title":"b"}\n',
        users__tsv="user_id\tabout\nu\tlikes tea\n",
        links__csv="user_id,friend_id\nu,v\n",
        notes__txt="not a table",
    )
    folder = load_folder(tmp_path)
    assert (len(folder.events), len(folder.items), len(folder.users), len(folder.links)) == (2, 1, 1, 1)
    assert folder.items.frame["title"].to_list() == ["b"]
    assert {file.file: file.rows for file in folder.report.files} == {
        "events.csv": 2,
        "items.jsonl": 1,
        "users.tsv": 1,
        "links.csv": 1,
    }
    assert folder.info.time == "real"
    assert folder.report.guesses == ('events.csv, timestamp: read as time = "real".',)
    text = "\n".join(folder.report.lines())
    assert "events.csv: 2 rows; 1 put aside (1 timestamp is no number and no ISO 8601 time)" in text
    assert "items.jsonl: 1 rows; 1 duplicate ids" in text
    assert "events.csv:3: timestamp is no number and no ISO 8601 time: u,j,never" in text


def test_events_alone_are_enough(tmp_path):
    folder = load_folder(fill(tmp_path, events__csv=EVENTS))
    assert folder.items is folder.users is folder.links is None


def test_rejects_are_written_as_they_were(tmp_path):
    folder = load_folder(fill(tmp_path, events__csv=EVENTS))
    assert folder.write_rejects(tmp_path / "rejects.jsonl") == 1
    assert json.loads((tmp_path / "rejects.jsonl").read_text()) == {
        "file": "events.csv",
        "line": 3,
        "reason": "timestamp is no number and no ISO 8601 time",
        "raw": "u,j,never",
    }
    assert folder.report.n_rejects == 1


def test_without_rejects_there_is_no_file(tmp_path):
    folder = load_folder(fill(tmp_path, events__csv=EVENTS.replace("never", "1291200001")))
    assert folder.write_rejects(tmp_path / "rejects.jsonl") == 0
    assert not (tmp_path / "rejects.jsonl").exists()


def test_only_the_first_rejects_of_a_reason_are_shown(tmp_path):
    folder = load_folder(fill(tmp_path, events__csv=EVENTS + "u,i,x\n" * 20))
    assert sum("events.csv:" in line and ": u," in line for line in folder.report.lines(n_rejects=2)) == 2
    assert folder.report.n_rejects == 21


def test_what_the_folder_says_of_itself_holds(tmp_path):
    fill(tmp_path, events__csv="user_id,item_id,timestamp\nu,i,3\n", dataset__toml='time = "order"\nname = "mine"\n')
    folder = load_folder(tmp_path)
    assert folder.info == DatasetInfo(time="order", name="mine")
    assert folder.events.frame["timestamp"].to_list() == [3]
    assert folder.report.guesses == ()


def test_what_the_caller_says_goes_first(tmp_path):
    fill(tmp_path, events__csv="user_id,item_id,timestamp\nu,i,3\n", dataset__toml='time = "order"\n')
    assert load_folder(tmp_path, info=DatasetInfo(time="real")).events.frame["timestamp"].to_list() == [3000]


@pytest.mark.parametrize("values", [(1, 2, 3), (0, 0, 0)])
def test_guessed_positions_are_left_as_they_are(tmp_path, values):
    rows = "".join(f"u,i,{value}\n" for value in values)
    folder = load_folder(fill(tmp_path, events__csv="user_id,item_id,timestamp\n" + rows))
    assert folder.events.frame["timestamp"].to_list() == list(values)
    assert folder.info.time == ("none" if values[0] == 0 else "order")


def test_a_table_may_lie_there_once(tmp_path):
    fill(tmp_path, events__csv=EVENTS)
    (tmp_path / "events.csv.gz").write_bytes(gzip.compress(EVENTS.encode()))
    with pytest.raises(DataError, match=r"holds events twice: events.csv and events.csv.gz.*Keep one"):
        load_folder(tmp_path)


def test_a_folder_without_events_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"holds no events; it holds items.csv.*Expected events.csv"):
        load_folder(fill(tmp_path, items__csv="item_id\n1\n"))


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="'nowhere' is no folder"):
        load_folder(tmp_path / "nowhere")


def test_a_wrong_dataset_toml_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown key 'tme'.*Did you mean 'time'"):
        load_folder(fill(tmp_path, events__csv=EVENTS, dataset__toml='tme = "real"\n'))


def test_folders_are_not_taken_for_tables(tmp_path):
    (tmp_path / "events.csv").mkdir()
    assert find_files(tmp_path) == {}


def test_a_folder_with_other_events(tmp_path):
    folder = load_folder(fill(tmp_path, events__csv=EVENTS))
    fewer = type(folder.events)(folder.events.frame.head(1))
    assert len(with_events(folder, fewer).events) == 1


def test_a_recbole_folder_is_read_as_it_is(tmp_path):
    fill(
        tmp_path,
        ml__inter="user_id:token\titem_id:token\trating:float\ttimestamp:float\tdevice:token\n"
        '1\t"7\t4.5\t881250949.0\ttv\n1\t8\tx\t881250950.0\ttv\n',
        ml__item="item_id:token\tmovie_title:token_seq\tgenre:token_seq\tyear:float\n7\tToy Story\tA B\t1995\n",
        ml__user="user_id:token\tage:float\tcode:float\n1\t24\tT\n",
        ml__net="source_id:token\ttarget_id:token\n1\t2\n",
    )
    folder = load_folder(tmp_path)
    assert folder.events.frame.rows(named=True) == [
        {
            "user_id": "1",
            "item_id": '"7',
            "timestamp": 881250949000,
            "event": "interaction",
            "value": 4.5,
            "context.device": "tv",
        }
    ]
    assert folder.items.frame.rows() == [("7", "Toy Story", ["A", "B"], 1995.0)]
    assert folder.users.frame.rows() == [("1", 24.0, "T")]
    assert folder.links.frame.rows() == [("1", "2", 1.0)]
    assert [reject.line for reject in folder.report.rejects] == [3]


def test_an_atomic_column_needs_a_type(tmp_path):
    fill(tmp_path, ml__inter="user_id:token\titem_id:token\ttimestamp\n1\t2\t3\n")
    with pytest.raises(DataError, match=r"ml.inter: column 'timestamp' has no type.*token_seq"):
        load_folder(tmp_path)


def test_parquet_rows_are_numbered_from_one(tmp_path):
    frame = pl.DataFrame({"user_id": [1, None, 2], "item_id": ["a", None, "b"], "timestamp": [1.5e9, 1.5e9, None]})
    frame.write_parquet(tmp_path / "events.parquet")
    folder = load_folder(tmp_path)
    assert folder.events.frame.row(0)[:3] == ("1", "a", 1_500_000_000_000)
    assert [(reject.line, reject.reason) for reject in folder.report.rejects] == [
        (2, "neither user_id nor item_id"),
        (3, "no timestamp"),
    ]
    assert json.loads(folder.report.rejects[1].raw) == {"user_id": 2, "item_id": "b", "timestamp": None}


def test_parquet_may_be_packed_once_more_with_gz(tmp_path):
    frame = pl.DataFrame({"user_id": ["u"], "item_id": ["i"], "timestamp": [1291200000]})
    frame.write_parquet(tmp_path / "plain")
    (tmp_path / "events.parquet.gz").write_bytes(gzip.compress((tmp_path / "plain").read_bytes()))
    assert len(load_folder(tmp_path).events) == 1


def test_parquet_that_is_none(tmp_path):
    (tmp_path / "events.parquet").write_bytes(b"PAR1 not at all")
    with pytest.raises(DataError, match="no readable parquet file"):
        load_folder(tmp_path)


def test_parquet_without_rows(tmp_path):
    pl.DataFrame(schema={"user_id": pl.String, "item_id": pl.String}).write_parquet(tmp_path / "events.parquet")
    with pytest.raises(DataError, match="has columns but no rows"):
        load_folder(tmp_path)


def test_parquet_packed_with_zstd_says_what_to_do(tmp_path):
    (tmp_path / "events.parquet.zst").write_bytes(b"\x28\xb5\x2f\xfd....")
    with pytest.raises(DataError, match=r"unzstd events.parquet.zst"):
        load_folder(tmp_path)
