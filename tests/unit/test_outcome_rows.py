"""The rows of a file of outcomes, and what is remembered of it."""

import json
from pathlib import Path

import pytest

from training.live.errors import LiveError
from training.live.outcome_rows import RefusedRows, Row, Sent, find_fault, load_sent, read_rows, save_sent

ID = "0b6f4a6e-6d0c-4b7a-9d55-2f6b1a3c9e10"
TIME = "2026-07-05T12:34:56Z"
OTHER_TIME = "observed_at must be a time with its offset, such as 2026-01-31T23:59:59Z"


def write(directory: Path, *lines: str, head: str = "request_id,value,observed_at", encoding: str = "utf-8") -> Path:
    path = directory / "outcomes.csv"
    path.write_bytes("\n".join((head, *lines, "")).encode(encoding))
    return path


@pytest.mark.parametrize("value", ["151", "151.0", "-0.5", "1e2", ".5", "100.10000000000001"])
def test_a_number_goes_into_json_as_the_same_double(value: str) -> None:
    item = json.dumps(Row(2, (ID, value, TIME), find_fault(ID, value, TIME), "").make_item())
    assert json.loads(item) == {"request_id": ID, "value": float(value), "observed_at": TIME}


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (("4711", "1", TIME), "request_id must be the UUID of a prediction"),
        ((f"{{{ID}}}", "1", TIME), "request_id must be the UUID of a prediction"),
        ((ID + "-" * 4000, "1", TIME), "request_id must be the UUID of a prediction"),
        ((ID, "1,5", TIME), "value must be a number with a decimal point"),
        ((ID, "1_000", TIME), "value must be a number with a decimal point"),
        ((ID, "nan", TIME), "value must be a number with a decimal point"),
        ((ID, "1e999", TIME), "value must be a number with a decimal point"),
        ((ID, "", TIME), "value must be a number with a decimal point"),
        ((ID, "1", "2026-07-05"), OTHER_TIME),
        ((ID, "1", "2026-07-05T12:34:56"), OTHER_TIME),
        ((ID, "1", f"2026-07-05T12:34:56.{'1' * 4000}Z"), OTHER_TIME),
        ((ID, "1", "2026-02-30T12:34:56Z"), OTHER_TIME),
        ((ID, "1", TIME), None),
        ((ID.upper(), "1", "2026-07-05t12:34:56z"), None),
        ((ID, "1", "2026-07-05 12:34:56.5+02:00"), None),
    ],
)
def test_a_row_says_what_is_wrong_with_it(cells: tuple[str, str, str], fault: str | None) -> None:
    assert find_fault(*cells) == fault


def test_columns_are_found_by_name_and_lines_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, f'"a\nb",{TIME},{ID},1', "", f"c,{TIME},{ID}", head="note,observed_at,request_id,value")
    first, second = read_rows(path)
    assert (first.line, first.texts, first.fault) == (3, (ID, "1", TIME), None)
    assert (second.line, second.texts[1]) == (5, "")
    assert second.fault == "the row has not as many cells as the first line"


def test_a_file_of_excel_begins_with_a_mark(tmp_path: Path) -> None:
    [row] = read_rows(write(tmp_path, f"{ID},1,{TIME}", encoding="utf-8-sig"))
    assert row.fault is None


@pytest.mark.parametrize(
    ("head", "lines", "encoding", "told"),
    [
        ("request_id,value", (), "utf-8", "must have the column observed_at, once: its first line names them"),
        ("request_id,value,value,observed_at", (), "utf-8", "must have the column value, once"),
        ("request_id,value,observed_at", ("é",), "latin-1", "is not UTF-8, after line 1"),
        ("request_id,value,observed_at", ('"a"b,1,2',), "utf-8", "is not CSV in line 2"),
    ],
)
def test_a_file_that_cannot_be_read(
    tmp_path: Path, head: str, lines: tuple[str, ...], encoding: str, told: str
) -> None:
    with pytest.raises(LiveError, match=told):
        list(read_rows(write(tmp_path, *lines, head=head, encoding=encoding)))


def test_rows_that_are_added_leave_the_digest_of_those_before(tmp_path: Path) -> None:
    [before] = read_rows(write(tmp_path, f"{ID},1,{TIME}"))
    path = write(tmp_path, f"{ID},1,{TIME}", f"{ID},2,{TIME}")
    after, _ = read_rows(path)
    assert before.sha256 == after.sha256
    # Without an end of its last line, too.
    path.write_bytes(path.read_bytes().split(b"\n", 2)[0] + f"\n{ID},1,{TIME}".encode())
    [unended] = read_rows(path)
    assert unended.sha256 == before.sha256
    [other] = read_rows(write(tmp_path, f"{ID},1.0,{TIME}"))
    assert other.sha256 != before.sha256


def test_what_was_sent_is_of_one_stack(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.csv.sent"
    assert load_sent(path, "dev") == Sent("dev")
    save_sent(path, Sent("dev", rows=7, sha256="ab", refused=1, refused_bytes=40))
    assert load_sent(path, "dev").rows == 7
    assert load_sent(path, "prod") == Sent("prod")
    path.write_text("{")
    with pytest.raises(LiveError, match="is damaged: remove it"):
        load_sent(path, "dev")


def test_refused_rows_that_were_not_remembered_are_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.rejected.csv"
    row = Row(3, (ID, 'a "b", c', TIME), "", "")
    first = RefusedRows(path, Sent("dev"))
    first.add(row, "value must be a number, with a point")
    size, sha256 = first.flush()
    first.add(row, "not remembered")
    first.close()
    sent = Sent("dev", rows=2, refused=1, refused_bytes=size, refused_sha256=sha256)
    RefusedRows(path, sent).close()
    assert path.read_text() == (
        f'request_id,value,observed_at,line,reason\n{ID},"a ""b"", c",{TIME},3,"value must be a number, with a point"\n'
    )
    # What a person has mended in it is not overwritten.
    for changed in (path.read_text().replace("a ", "a"), "", f"{path.read_text()[:-3]}"):
        path.write_text(changed)
        with pytest.raises(LiveError, match="has changed since it was written: give it another name"):
            RefusedRows(path, sent)
        assert path.read_text() == changed
