"""Tables from files: whatever their separator, encoding and header."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from lamina.data.loading.table_files import read_table


def written(tmp_path, content, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path, separator):
    lines = [["name", "size"], ["a b", "1"], ["c", "2"]]
    path = written(tmp_path, "\n".join(separator.join(line) for line in lines))
    table = read_table(path)
    assert table.frame.to_numpy().tolist() == lines[1:]
    assert list(table.frame.columns) == lines[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found_and_said_unless_it_is_utf_8(tmp_path, encoding):
    text = "ville,pays\n" + "Orléans,Europe été\nMünchen,Größe\n" * 20
    table = read_table(written(tmp_path, text.encode(encoding)))
    assert table.frame["ville"].tolist()[:2] == ["Orléans", "München"]
    assert bool(table.remarks) == (encoding not in ("utf-8", "utf-8-sig"))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("size;price\n1,5;2,5\n3,5;4,5\n", [["1,5", "2,5"], ["3,5", "4,5"]]),
        ("1,5;2,5\n3,5;4,5\n", [["1,5", "2,5"], ["3,5", "4,5"]]),
        ("2024-01-01;1,5\n2024-01-02;2\n2024-01-03;2,5\n", [["2024-01-01", "1,5"]]),
        (
            "see you, then;ham\nwin, now;spam\nlater, yes;ham\nso, so;ham\n",
            [["see you, then", "ham"]],
        ),
        ("a;b,1\nc;d,2\na;b,3\na;b,4\n", [["a;b", "1"], ["c;d", "2"]]),
    ],
)
def test_a_comma_within_values_is_no_separator(tmp_path, content, rows):
    table = read_table(written(tmp_path, content))
    assert table.frame.to_numpy().tolist()[: len(rows)] == rows


@pytest.mark.parametrize("content", ["x,y,x\n1,2,3\n", "x, x\n1,2\n", "x;x\n1,5;2,5\n"])
def test_columns_of_one_name_are_named(tmp_path, content):
    with pytest.raises(ValueError, match="several columns of one name: 'x'.*columns 1 and [23]"):
        read_table(written(tmp_path, content))


def test_values_in_quotation_marks_may_have_separators_and_line_breaks(tmp_path):
    table = read_table(written(tmp_path, 'text,label\n"a, b\nc",x\n"d",y\n'))
    assert table.frame["text"].tolist() == ["a, b\nc", "d"]


def test_quotation_marks_of_texts_between_tabs_are_part_of_them(tmp_path):
    content = 'label\ttext\nham\t"open and never closed\nspam\tplain\nham\tlast\n'
    table = read_table(written(tmp_path, content, "texts.tsv"))
    assert table.frame["text"].tolist() == ['"open and never closed', "plain", "last"]


@pytest.mark.parametrize(
    ("content", "has_header"),
    [
        ("a,b\n1,2\n3,4\n", True),
        ("1,2\n3,4\n5,6\n", False),
        ("ham,see you\nspam,win\nham,soon\nham,later\n", False),
        ("country,2019,2020\nPeru,1,2\nChad,3,4\n", True),
    ],
)
def test_a_line_with_names_is_told_from_data(tmp_path, content, has_header):
    table = read_table(written(tmp_path, content))
    assert table.has_header == has_header
    assert len(table.frame) == content.count("\n") - has_header


def test_lines_with_too_many_values_are_named_and_the_others_kept(tmp_path):
    table = read_table(written(tmp_path, "a,b\n1,2\n3,4,5\n6,7\n"))
    assert table.frame["a"].tolist() == ["1", "6"]
    assert [str(line) for line in table.left_out] == ["the line '3,4,5' has too many values"]


@pytest.mark.parametrize("content", [b"", b"  \n\n"])
def test_an_empty_file_is_refused(tmp_path, content):
    with pytest.raises(ValueError, match="is empty"):
        read_table(written(tmp_path, content))


@pytest.mark.parametrize("content", [b"a,b\n\x00\x01,3\n", b"\xff\xfe\x00\x00", b"\xff\xfe\x00"])
def test_a_binary_file_is_refused(tmp_path, content):
    with pytest.raises(ValueError, match="is not text"):
        read_table(written(tmp_path, content))


NAMES = st.lists(
    st.text(st.characters(categories=["L"]), min_size=1, max_size=8),
    min_size=2,
    max_size=4,
    unique=True,
)
CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), names=NAMES)
def test_what_pandas_writes_is_read_back(tmp_path, data, names):
    rows = data.draw(
        st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=6)
    )
    # A line of its own that repeats no name: else there would seem to be no header.
    frame = pd.DataFrame([["1"] * len(names), *rows], columns=names, dtype=str)
    frame = frame[~frame.isin(names).any(axis=1)]
    path = tmp_path / "frame.csv"
    frame.to_csv(path, index=False)
    np.testing.assert_array_equal(
        read_table(path).frame.to_numpy().astype(str), frame.to_numpy().astype(str)
    )


def test_a_first_line_with_a_name_that_the_user_gave_is_the_header(tmp_path):
    path = written(tmp_path, "age,y\n1,n\n2,y\n3,y\n")
    assert read_table(path, {"y"}).has_header


def test_a_line_by_which_excel_names_the_separator_is_used(tmp_path):
    table = read_table(written(tmp_path, "sep=;\na;b\n1,5;x\n2,5;y\n"))
    assert list(table.frame.columns) == ["a", "b"]


def test_a_very_long_value_is_read(tmp_path):
    table = read_table(written(tmp_path, f"text,label\n{'a' * 200_000},x\nb,y\n"))
    assert table.frame["text"].str.len().tolist() == [200_000, 1]


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("Sales of 2024\n\na,b\n1,x\n2,y\n", ["a", "b"]),
        ("# by a program\n# of 2024\na;b;c\n1;2;x\n2;3;y\n", ["a", "b", "c"]),
    ],
)
def test_a_title_above_the_table_is_passed_over_and_said(tmp_path, content, columns):
    table = read_table(written(tmp_path, content))
    assert list(table.frame.columns) == columns
    assert len(table.frame) == 2
    assert "not part of the table" in table.remarks[0]


@pytest.mark.parametrize("names", ['"a","b"', '"a"'])
def test_names_of_rows_as_r_writes_them_do_not_shift_the_columns(tmp_path, names):
    width = names.count(",") + 1
    lines = [",".join([f'"row {i}"', *[str(i + j) for j in range(width)]]) for i in range(9)]
    table = read_table(written(tmp_path, "\n".join([names, *lines])))
    assert table.frame["a"].tolist() == [str(i) for i in range(9)]
    assert any("name of the row" in remark for remark in table.remarks)


def test_a_separator_at_the_end_of_every_line_makes_no_column(tmp_path):
    table = read_table(written(tmp_path, "a,b\n1,x,\n2,y,\n"))
    assert table.frame.to_numpy().tolist() == [["1", "x"], ["2", "y"]]
    assert not table.remarks


def test_lines_that_are_all_longer_than_the_names_are_refused_if_nothing_tells_why(tmp_path):
    with pytest.raises(ValueError, match="names 2 columns, but its lines have 3 values"):
        read_table(written(tmp_path, "a,b\n1,x,2\n1,y,3\n1,y,4\n"))


def test_a_first_line_with_too_many_values_does_not_shift_the_others(tmp_path):
    table = read_table(written(tmp_path, "a,b\n1,x,9\n2,y\n3,z\n"))
    assert table.frame.to_numpy().tolist() == [["2", "y"], ["3", "z"]]
    assert [str(out) for out in table.left_out] == ["the line '1,x,9' has too many values"]


def test_lines_with_too_few_values_are_counted(tmp_path):
    table = read_table(written(tmp_path, "a,b,c\n1,x,2\n2,y\n3,z,4\n"))
    assert "1 of the first 4 lines" in table.remarks[0]


def test_of_two_encodings_that_fit_equally_the_usual_one_is_taken(tmp_path):
    lines = "\n".join(f"{i * 1.5},{('Zürich', 'Genève')[i % 2]}" for i in range(60))
    table = read_table(written(tmp_path, f"größe,y\n{lines}".encode("latin-1")))
    assert set(table.frame["y"]) == {"Zürich", "Genève"}
    assert "save it as UTF-8" in table.remarks[0]
