"""`lamina.data.load`: whatever a person has becomes three parts, and what was left out is named."""

import os
import re
import sys
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from lamina.data import load


def picture(rng, size=(12, 12), mode="RGB"):
    channels = {"RGB": (3,), "RGBA": (4,), "L": (), "CMYK": (4,)}[mode]
    return Image.fromarray(rng.integers(0, 256, (*size, *channels), dtype="uint8"), mode)


def folder_of_pictures(root, rng, classes, number=10, mode="RGB"):
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(number):
            picture(rng, mode=mode).save(root / name / f"{i}.png")
    return root


def quiet(*args, **kwargs):
    return load(*args, verbose=False, **kwargs)


def composed(name):
    return unicodedata.normalize("NFC", name)


def left_out(data):
    return "\n".join(map(str, data.describe().left_out))


# Pictures


def test_a_folder_for_every_class(tmp_path, rng):
    data = quiet(folder_of_pictures(tmp_path, rng, ["dog", "cat"], number=20))
    assert data.class_names == ["cat", "dog"]
    assert {name: part.size for name, part in data.parts.items()} == {
        "train": 28,
        "val": 6,
        "test": 6,
    }
    assert data.train.x.shape == (28, 12, 12, 3)
    assert data.train.x.dtype == np.uint8
    for part in data.parts.values():
        for row, name in enumerate(part.names):
            assert name.startswith(data.class_names[part.y[row]])
            pixels = np.asarray(Image.open(tmp_path / name))
            np.testing.assert_array_equal(part.x[row], pixels)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    tree=st.dictionaries(
        st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=6),
        st.lists(st.text(st.characters(categories=["L", "Zs"]), min_size=1, max_size=6)),
        min_size=2,
        max_size=4,
    ).filter(lambda tree: len({composed(name).lower() for name in tree}) == len(tree))
)
def test_any_tree_of_pictures_is_used_to_the_last_or_refused(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("tree")
    rng = np.random.default_rng(0)
    written = set()
    for folder, names in tree.items():
        (root / folder).mkdir()
        for number, name in enumerate(names):
            path = root / folder / f"{name}{number}.png"
            picture(rng, (6, 6)).save(path)
            written.add(path.relative_to(root).as_posix())
    classes = {composed(name.split("/")[0]) for name in written}
    if len(classes) < 2:
        with pytest.raises(ValueError):
            quiet(root)
        return
    data = quiet(root)
    assert sorted(n for part in data.parts.values() for n in part.names) == sorted(written)
    assert set(data.class_names) == classes


def test_parts_given_by_folders_are_kept(tmp_path, rng):
    for part, number in (("train", 8), ("valid", 3), ("test", 2)):
        folder_of_pictures(tmp_path / part, rng, ["cat", "dog"], number)
    data = quiet(tmp_path)
    assert [part.size for part in data.parts.values()] == [16, 6, 4]
    assert all(name.startswith("test/") for name in data.test.names)
    assert data.describe().split == "as given"


def test_what_folders_lack_is_taken_from_the_training_part(tmp_path, rng):
    for part, number in (("train", 10), ("test", 2)):
        folder_of_pictures(tmp_path / part, rng, ["cat", "dog"], number)
    data = quiet(tmp_path, validation=0.2)
    assert [part.size for part in data.parts.values()] == [16, 4, 4]
    assert data.describe().split == "as given, val taken from train"


def test_folders_named_like_parts_are_classes_if_pictures_lie_in_them(tmp_path, rng):
    folder_of_pictures(tmp_path, rng, ["train", "test", "bus"])
    data = quiet(tmp_path)
    assert data.class_names == ["bus", "test", "train"]
    assert any("test, train were taken for classes" in r for r in data.describe().remarks)


def test_pictures_without_a_class_in_one_part_are_left_out(tmp_path, rng):
    folder_of_pictures(tmp_path / "train", rng, ["cat", "dog"])
    folder_of_pictures(tmp_path, rng, ["test"], number=2)
    data = quiet(tmp_path)
    assert data.class_names == ["cat", "dog"]
    assert "test/0.png is in no folder of a class" in left_out(data)


def test_a_validation_folder_without_classes_is_no_class(tmp_path, rng):
    folder_of_pictures(tmp_path, rng, ["train", "val"])
    with pytest.raises(ValueError, match="Nothing says what the 20 pictures"):
        quiet(tmp_path)


def test_parts_given_by_folders_are_kept_where_a_table_says_what_pictures_show(tmp_path, rng):
    lines = ["file,kind"]
    for part, number in (("train", 12), ("test", 6)):
        (tmp_path / part).mkdir()
        for i in range(number):
            picture(rng).save(tmp_path / part / f"{part}{i}.png")
            lines.append(f"{part}{i}.png,{'ab'[i % 2]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    data = quiet(tmp_path)
    assert data.test.size == 6
    assert all(name.startswith("test/") for name in data.test.names)
    assert any("column 'kind' of labels.csv" in remark for remark in data.describe().remarks)


def test_a_table_may_say_what_pictures_show(tmp_path, rng):
    for i in range(10):
        picture(rng).save(tmp_path / f"{i}.png")
    rows = [f"{i}.png,{'ab'[i % 2]}" for i in range(9)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,kind", *rows, "gone.png,a"]))
    data = quiet(tmp_path)
    assert data.target == "kind"
    assert data.class_names == ["a", "b"]
    assert "gone.png is not a picture in the folder" in left_out(data)
    assert "9.png is not in labels.csv" in left_out(data)
    for part in data.parts.values():
        assert [data.class_names[y] for y in part.y] == ["ab"[int(n[0]) % 2] for n in part.names]


ODD = {
    "grey.png": lambda rng: picture(rng, mode="L"),
    "transparent.png": lambda rng: picture(rng, mode="RGBA"),
    "print.jpg": lambda rng: picture(rng, mode="CMYK"),
    "palette.gif": lambda rng: picture(rng).quantize(16),
    "deep.png": lambda rng: Image.fromarray(rng.integers(0, 65535, (12, 12), dtype="uint16")),
    "wide.png": lambda rng: picture(rng, (3, 40)),
    "two words é ж.png": picture,
}


@pytest.mark.parametrize("name", list(ODD))
def test_pictures_of_every_kind_are_read(tmp_path, rng, name):
    folder_of_pictures(tmp_path, rng, ["a", "b"])
    ODD[name](rng).save(tmp_path / "a" / name)
    data = quiet(tmp_path, image_size=(12, 12))
    assert f"a/{name}" in [n for part in data.parts.values() for n in part.names]
    assert not left_out(data)


def as_arrays(data):
    return [(np.asarray(part.x), part.y, part.names) for part in data.parts.values()]


@pytest.mark.parametrize("modes", [("L", "L"), ("L", "RGB"), ("RGB", "L")])
def test_pictures_beyond_the_budget_are_mapped_and_the_same(tmp_path, rng, modes):
    for name, mode in zip("ab", modes, strict=True):
        folder_of_pictures(tmp_path, rng, [name], mode=mode)
    Image.open(tmp_path / "a" / "0.png").save(tmp_path / "b" / "copy.png")
    data, mapped = quiet(tmp_path), quiet(tmp_path, max_memory=1)
    assert isinstance(mapped.train.x, np.memmap)
    assert any("are kept in a file" in remark for remark in mapped.describe().remarks)
    assert mapped.describe().duplicates == data.describe().duplicates
    for one, other in zip(as_arrays(data), as_arrays(mapped), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
        assert one[2] == other[2]


def test_an_animation_gives_its_first_picture(tmp_path, rng):
    folder_of_pictures(tmp_path, rng, ["a", "b"])
    frames = [Image.new("RGB", (12, 12), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a" / "moving.gif", save_all=True, append_images=frames[1:])
    data = quiet(tmp_path, test=0, validation=0)
    row = data.train.names.index("a/moving.gif")
    assert data.train.x[row, 5, 5].tolist() == [255, 0, 0]


def test_a_photograph_is_turned_as_its_exif_says(tmp_path, rng):
    folder_of_pictures(tmp_path, rng, ["a", "b"])
    photo = Image.new("RGB", (12, 12), "white")
    photo.paste("black", (0, 0, 12, 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "a" / "photo.png", exif=exif)
    data = quiet(tmp_path, test=0, validation=0)
    turned = data.train.x[data.train.names.index("a/photo.png")]
    assert turned[:, -1].max() < 50
    assert turned[:, 0].min() > 200


def test_grey_pictures_have_one_channel(tmp_path, rng):
    data = quiet(folder_of_pictures(tmp_path, rng, ["a", "b"], mode="L"))
    assert data.train.x.shape[1:] == (12, 12, 1)


def test_whatever_cannot_be_used_is_named(tmp_path, rng):
    folder_of_pictures(tmp_path, rng, ["a", "b"])
    whole = (tmp_path / "a" / "0.png").read_bytes()
    (tmp_path / "a" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "a" / "empty.png").touch()
    (tmp_path / "a" / "lie.png").write_text("no picture")
    (tmp_path / "a" / "notes.doc").write_text("notes")
    (tmp_path / "b" / "link.png").symlink_to("/etc/hostname")
    (tmp_path / "b" / "elsewhere").symlink_to("/etc")
    picture(rng).save(tmp_path / "loose.png")
    data = quiet(tmp_path)
    assert sum(part.size for part in data.parts.values()) == 20
    assert set(left_out(data).splitlines()) == {
        "a/cut.png is damaged or incomplete",
        "a/empty.png is empty",
        "a/lie.png is not a picture, whatever its name says",
        "a/notes.doc is of another kind",
        "b/elsewhere is a link to a folder",
        "b/link.png is a link out of the folder",
        "loose.png is in no folder of a class",
    }


def test_a_picture_that_claims_too_many_pixels_is_left_out(tmp_path, rng, monkeypatch):
    folder_of_pictures(tmp_path, rng, ["a", "b"])
    picture(rng, (40, 40)).save(tmp_path / "a" / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    assert "a/large.png has too many pixels to be opened" in left_out(quiet(tmp_path))


def test_copies_stay_in_one_part_and_are_listed(tmp_path, rng):
    folder_of_pictures(tmp_path, rng, ["a", "b"], number=30)
    for i in range(10):
        copied = Image.open(tmp_path / "a" / f"{i}.png")
        copied.save(tmp_path / "a" / f"copy of {i}.png")
    data = quiet(tmp_path, validation=0.2, test=0.2)
    assert len(data.describe().duplicates) == 10
    assert not data.describe().leaks
    where = {n: part for part, p in data.parts.items() for n in p.names}
    assert all(where[f"a/{i}.png"] == where[f"a/copy of {i}.png"] for i in range(10))


def test_copies_in_the_users_own_test_part_are_announced(tmp_path, rng, capsys):
    for part, number in (("train", 10), ("test", 3)):
        folder_of_pictures(tmp_path / part, rng, ["a", "b"], number)
    Image.open(tmp_path / "train" / "a" / "0.png").save(tmp_path / "test" / "a" / "leak.png")
    data = load(tmp_path, validation=0)
    assert data.describe().leaks == [("train/a/0.png", "test/a/leak.png")]
    assert "copies of training samples" in capsys.readouterr().out


def test_a_picture_with_two_labels_is_announced(tmp_path, rng):
    folder_of_pictures(tmp_path, rng, ["a", "b"])
    Image.open(tmp_path / "a" / "0.png").save(tmp_path / "b" / "same.png")
    assert any("of another class" in remark for remark in quiet(tmp_path).describe().remarks)


def test_imbalance_is_announced_with_what_naming_the_largest_class_gives(tmp_path, rng, capsys):
    folder_of_pictures(tmp_path, rng, ["many"], number=44)
    folder_of_pictures(tmp_path, rng, ["rare"], number=4)
    load(tmp_path)
    assert "always answering 'many' is right for 91.7%" in capsys.readouterr().out


# Texts


def test_a_folder_of_texts(tmp_path):
    for name in ("ham", "spam"):
        (tmp_path / name).mkdir()
        for i in range(10):
            (tmp_path / name / f"{i}.txt").write_text(f"{name} number {i}", encoding="utf-8")
    (tmp_path / "ham" / "empty.txt").write_text("  \n")
    (tmp_path / "spam" / "old.txt").write_bytes("spam für Größe und Übermut".encode("cp1252"))
    data = quiet(tmp_path)
    assert data.kind == "text"
    texts = [t for part in data.parts.values() for t in part.x]
    assert "spam für Größe und Übermut" in texts
    assert left_out(data) == "ham/empty.txt is empty"


# Without the mark of byte orders, which begins a file and is no part of its text.
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    tree=st.dictionaries(
        st.sampled_from(["ham", "spam", "größe", "a b"]),
        st.lists(st.tuples(PLAIN, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))),
        min_size=1,
    )
)
def test_any_tree_of_texts_is_used_to_the_last_or_refused(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("texts")
    wanted, unused = {}, set()
    for folder, texts in tree.items():
        (root / folder).mkdir()
        for number, (text, encoding) in enumerate(texts):
            path = root / folder / f"{number}.txt"
            path.write_bytes(text.encode(encoding, "replace"))
            name = path.relative_to(root).as_posix()
            kept = path.read_bytes().decode(encoding).strip()
            if kept and "\0" not in kept:
                wanted[name] = composed(kept)
            else:
                unused.add(name)
    if len({name.split("/")[0] for name in wanted}) < 2:
        with pytest.raises(ValueError):
            quiet(root)
        return
    data = quiet(root)
    parts = data.parts.values()
    found = dict(pair for part in parts for pair in zip(part.names, part.x, strict=True))
    assert found == wanted
    assert len(data.describe().left_out) == len(unused)
    for part in data.parts.values():
        assert [data.class_names[y] for y in part.y] == [n.split("/")[0] for n in part.names]


def test_a_table_of_texts_without_names_of_columns(tmp_path):
    path = tmp_path / "messages.tsv"
    lines = [
        f"{('ham', 'spam')[i % 3 == 0]}\tmessage with several words {i % 40}" for i in range(60)
    ]
    path.write_text("\n".join(lines))
    data = quiet(path, target="label", text="message")
    assert data.class_names == ["ham", "spam"]
    assert data.train.x[0].startswith("message with")
    assert len(data.describe().duplicates) == 20


# Tables


@pytest.fixture
def table(rng):
    n = 100
    return pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "place": rng.choice(["Oslo", "Rome"], n),
            "same": "x",
            "price": rng.normal(size=n),
            "kind": rng.choice(["a", "b", "c"], n),
        }
    )


def test_a_table_with_a_class_as_target(table):
    data = quiet(table, target="kind")
    assert data.class_names == ["a", "b", "c"]
    assert sorted(data.train.x) == ["place", "price", "size"]
    assert [str(column) for column in data.describe().left_out] == [
        "column same has a single value, 'x'"
    ]
    row = int(data.test.names[0].split()[1]) - 1
    assert data.test.x["size"][0] == np.float32(table["size"][row])
    assert data.class_names[data.test.y[0]] == table["kind"][row]


def test_a_table_with_a_number_as_target(table):
    data = quiet(table, target="price")
    assert data.class_names is None
    assert data.train.y.dtype == np.float32


def test_csv_and_parquet_and_frame_give_the_same(tmp_path, table):
    pytest.importorskip("pyarrow")
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    made = [quiet(s, target="kind") for s in (table, tmp_path / "t.csv", tmp_path / "t.parquet")]
    for other in made[1:]:
        np.testing.assert_allclose(made[0].train.x["size"], other.train.x["size"], rtol=1e-6)
        np.testing.assert_array_equal(made[0].train.y, other.train.y)


def test_a_column_that_says_the_target_is_left_out_and_named(table):
    table["code"] = table["kind"].map({"a": "one", "b": "two", "c": "three"})
    data = quiet(table, target="kind")
    assert "code" not in data.train.x
    assert "column code repeats the target" in left_out(data)
    assert "code" in quiet(table, target="kind", columns=["code", "size"]).train.x


def test_codes_that_look_like_numbers_may_be_declared(table):
    table["postcode"] = np.arange(100) % 4 + 1000
    data = quiet(table, target="kind", kinds={"postcode": "category"})
    assert data.train.x["postcode"].dtype == object
    with pytest.raises(ValueError, match="kinds are number, category"):
        quiet(table, target="kind", kinds={"postcode": "code"})
    with pytest.raises(ValueError, match="no column 'postcod'.*Did you mean 'postcode'"):
        quiet(table, target="kind", kinds={"postcod": "category"})


def test_what_is_only_known_afterwards_may_be_dropped(table):
    data = quiet(table, target="kind", drop=["price"])
    assert sorted(data.train.x) == ["place", "size"]
    assert "column price was dropped, as you asked" in left_out(data)


def test_rows_that_are_in_train_and_test_are_counted(table):
    data = quiet(pd.concat([table, table]), target="kind")
    assert any("100 rows repeat another row; " in remark for remark in data.describe().remarks)


def test_classes_that_differ_in_capitals_alone_are_announced(table):
    table.loc[::7, "kind"] = "A "
    data = quiet(table, target="kind")
    assert data.class_names == ["A", "a", "b", "c"]
    assert any("'A', 'a' differ in capitals" in remark for remark in data.describe().remarks)


def test_rows_without_a_target_are_left_out(table):
    table.loc[:9, "kind"] = None
    data = quiet(table, target="kind")
    assert sum(part.size for part in data.parts.values()) == 90
    assert "10 rows have no kind" in left_out(data)


def test_an_order_of_dates_that_nothing_tells_is_announced_and_may_be_said(table):
    table["when"] = [f"0{1 + i % 9}/0{1 + i % 7}/2024" for i in range(100)]
    data = quiet(table, target="kind")
    assert any(
        "Column 'when'" in remark and "day_first=True" in remark
        for remark in data.describe().remarks
    )
    assert "day_first=True" in next(c for c in data.describe().columns if c.startswith("when"))
    told = quiet(table, target="kind", day_first=True)
    assert not any("day_first" in remark for remark in told.describe().remarks)
    row = int(data.train.names[0].split()[1]) - 1
    assert data.train.x["when_month"][0] == 1 + row % 9
    assert told.train.x["when_month"][0] == 1 + row % 7


def test_a_frame_whose_columns_are_numbers_can_be_used():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)))
    assert sorted(quiet(frame, target=0, columns=[2]).train.x) == ["2"]


def test_a_group_stays_in_one_part(table):
    table["patient"] = np.arange(100) // 5 * 7
    data = quiet(table, target="kind", split="group", group="patient")
    rows = {p: {(int(n.split()[1]) - 1) // 5 for n in part.names} for p, part in data.parts.items()}
    assert not rows["train"] & rows["test"]
    assert "patient" not in data.train.x


def test_a_split_by_the_tail_keeps_the_order(table):
    data = quiet(table, target="kind", split="tail", test=0.1)
    assert data.test.names == [f"row {i}" for i in range(91, 101)]


# Series


def test_a_series_becomes_windows_and_what_follows_them(tmp_path):
    steps = np.arange(100)
    frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=100), "sold": steps * 1.0})
    frame = frame.sample(frac=1, random_state=0)
    data = quiet(frame, target="sold", time="day", forecast=3, window=5)
    for part in data.parts.values():
        for x, y in zip(part.x, part.y, strict=True):
            np.testing.assert_array_equal(np.diff([*x[:, 0], *y]), np.ones(7))
    last_of_train = data.train.y.max()
    assert last_of_train < data.val.y.min()
    assert data.val.y.max() < data.test.y.min()


def test_gaps_in_a_series_are_filled_and_announced():
    values = np.sin(np.arange(80) / 5)
    frame = pd.DataFrame({"v": values, "w": values, "scarce": values})
    frame.loc[10, "v"] = frame.loc[20:21, "w"] = frame.loc[9:, "scarce"] = None
    data = quiet(frame, target="v", forecast=2)
    assert np.isfinite(data.train.x).all()
    remarks = "\n".join(data.describe().remarks)
    assert "1 missing values of 'v' were interpolated" in remarks
    assert "2 missing values of 'w' were interpolated" in remarks
    assert left_out(data) == "column scarce has no number in 71 of 80 rows"


def test_rows_without_a_time_are_left_out_and_dates_begin_as_was_told():
    days = pd.date_range("2024-01-01", periods=60).strftime("%d/%m/%Y").tolist()
    frame = pd.DataFrame({"day": days, "sold": np.arange(60.0)}).sample(frac=1, random_state=0)
    frame.iloc[7, 0] = None
    data = quiet(frame, target="sold", time="day", forecast=2, window=3)
    assert left_out(data) == "1 rows have no date or number in day"
    assert data.train.contract.series.day_first
    assert (np.diff(data.train.x[..., 0], axis=1) > 0).all()


def test_a_few_numbers_can_be_sorted_by():
    frame = pd.DataFrame({"year": [2003, 2001, 2002, 2005, 2004], "v": [3.5, 1.5, 2.5, 5.5, 4.5]})
    data = quiet(frame, target="v", time="year", forecast=1, window=1)
    assert data.train.x[0, 0, 0] == 1.5


def test_several_series_in_one_table_are_refused_with_the_line_that_takes_one():
    days = pd.date_range("2024-01-01", periods=30)
    frame = pd.DataFrame({"day": [*days, *days], "shop": ["a", "b"] * 30, "sold": range(60)})
    frame["shop"] = ["a"] * 30 + ["b"] * 30
    with pytest.raises(ValueError, match=r"(?s)several series.*frame\[frame\['shop'\] == 'a'\]"):
        quiet(frame, target="sold", time="day", forecast=2)
    assert quiet(frame[frame["shop"] == "a"], target="sold", time="day", forecast=2).train.size
    twice = pd.concat([frame[:30], frame[:2]])
    remarks = quiet(twice, target="sold", time="day", forecast=2).describe().remarks
    assert any("2 values of 'day' occur more than once" in remark for remark in remarks)


@pytest.mark.parametrize(
    ("steps", "arguments", "fix"),
    [
        (40, {"forecast": 1, "window": 38}, {"window": 27}),
        (12, {"forecast": 6}, {"forecast": 3, "window": 1}),
        (20, {"forecast": 1, "validation": 0.5, "test": 0.45}, {"validation": 0.15, "test": 0.15}),
        (3, {"forecast": 1}, {"validation": 0, "test": 0}),
    ],
)
def test_what_is_proposed_for_a_short_series_works(steps, arguments, fix):
    frame = pd.DataFrame({"v": np.arange(steps) * 1.5})
    with pytest.raises(ValueError) as error:
        quiet(frame, target="v", **arguments)
    line = str(error.value).split("Fix: ")[1]
    for name, value in fix.items():
        assert f"{name}={value}" in line
    settings = dict(re.findall(r"(\w+)=([\d.]+\d|\d)", line))
    fixed = {name: float(v) if "." in v else int(v) for name, v in settings.items()}
    assert quiet(frame, target="v", **{**arguments, **fixed}).train.size


# An amount for every step; the third digit tells them apart where they are equal.
STEPS = st.lists(st.one_of(st.none(), st.integers(0, 99)), min_size=1, max_size=40)


@settings(max_examples=30)
@given(STEPS, st.integers(1, 3), st.integers(1, 4), st.randoms())
def test_any_series_becomes_windows_of_its_own_steps_or_is_refused(steps, forecast, window, random):
    values = [None if step is None else 100 * i + step for i, step in enumerate(steps)]
    rows = list(enumerate(values))
    random.shuffle(rows)
    frame = pd.DataFrame({"n": [i for i, _ in rows], "v": [value for _, value in rows]})
    try:
        data = quiet(frame, target="v", time="n", forecast=forecast, window=window)
    except ValueError:
        few = len(steps) < 3 * forecast + window + 1
        assert few or sum(value is not None for value in values) <= len(values) / 2
        return
    known = [i for i, value in enumerate(values) if value is not None]
    filled = np.interp(range(len(values)), known, [values[i] for i in known]).astype("float32")
    seen = set()
    for part in data.parts.values():
        for x, y, name in zip(part.x, part.y, part.names, strict=True):
            start = int(name)
            np.testing.assert_array_equal(x[:, 0], filled[start - window : start])
            np.testing.assert_array_equal(y, filled[start : start + forecast])
            assert start not in seen
            seen.add(start)


# What all have in common


def test_a_part_is_a_data_set_of_batches(table):
    data = quiet(table, target="kind", batch_size=16)
    batches = list(data.train)
    assert len(data.train) == len(batches) == 5
    x, y = batches[0]
    assert x["size"].shape == y.shape == (16,)
    assert data.train.class_names == ["a", "b", "c"]
    order = [float(v) for x, _ in batches for v in x["size"]]
    again = [float(v) for x, _ in data.train for v in x["size"]]
    assert order != again
    assert sorted(order) == sorted(again)


def test_nothing_of_tensorflow_is_loaded(table):
    quiet(table, target="kind")
    assert "tensorflow" not in sys.modules


def test_what_was_found_is_printed_in_short_and_described_in_full(table, capsys):
    data = load(table, target="kind")
    printed = capsys.readouterr().out
    assert "100 rows of 3 columns, kind: 3 classes" in printed
    assert "column same has a single value" in printed
    text = str(data.describe())
    for word in ("size: number", "place: category (2 different values)", "Always answering"):
        assert word in text


def test_every_kind_can_be_drawn(tmp_path, rng, table):
    made = [
        quiet(folder_of_pictures(tmp_path, rng, ["a", "b"])),
        quiet(table, target="kind"),
        quiet(pd.DataFrame({"v": np.arange(60.0)}), target="v", forecast=2),
    ]
    for data in made:
        assert data.plot().axes


# Bad input


def messages(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "photos.zip").write_bytes(b"PK")
    (tmp_path / "one" / "cat").mkdir(parents=True)
    (tmp_path / "loose").mkdir()
    rng = np.random.default_rng(0)
    for place in ("one/cat", "loose"):
        for i in range(3):
            picture(rng).save(tmp_path / place / f"{i}.png")
    (tmp_path / "sheet.xlsx").write_bytes(b"PK")
    (tmp_path / "header.csv").write_text("a,b\n")
    (tmp_path / "table.csv").write_text("size,kind\n1,a\n2,b\n3,a\n")
    (tmp_path / "constant.csv").write_text("size,kind\n1,a\n2,a\n3,a\n")
    (tmp_path / "missing.csv").write_text("size,kind\n1,\n2,\n3,\n")
    (tmp_path / "alone.csv").write_text("same,kind\n1,a\n1,b\n1,a\n")
    (tmp_path / "twins.csv").write_text("size,kind,size\n1,a,1\n2,b,2\n")
    (tmp_path / "gaps.csv").write_text("v,w\n1,x\n2,x\n,x\n,x\n,x\n,x\n,x\n,x\n")
    (tmp_path / "short.csv").write_text("v\n1\n2\n3\n4\n")
    (tmp_path / "spaces.csv").write_text("size kind\n1 a\n2 b\n3 a\n")
    names = "".join(f"{i % 7},name {i}\n" for i in range(30))
    (tmp_path / "names.csv").write_text(f"size,kind\n{names}")


BAD = [
    ("nowhere", {}, FileNotFoundError, "There is no file or folder"),
    ("empty", {}, ValueError, "is empty.*a subfolder for every class"),
    ("archive", {}, ValueError, "unpack the archive"),
    ("one", {}, ValueError, "of one class, 'cat'"),
    ("loose", {}, ValueError, "Nothing says what the 3 pictures"),
    ("loose/0.png", {}, ValueError, "give the folder"),
    ("sheet.xlsx", {}, ValueError, "save the sheet as .csv"),
    ("header.csv", {"target": "a"}, ValueError, "has no rows"),
    ("table.csv", {}, ValueError, "Which column of table.csv.*target='kind'"),
    ("table.csv", {"target": "kindd"}, ValueError, "no column 'kindd'.*Did you mean 'kind'"),
    ("table.csv", {"target": "kind", "text": "txt"}, ValueError, "no column 'txt'"),
    ("table.csv", {"target": "kind", "forecast": 2}, ValueError, "cannot be forecast"),
    ("table.csv", {"target": "kind", "task": "number"}, ValueError, "has no numbers, e.g. 'a'"),
    (
        "table.csv",
        {"target": "size", "task": "number", "split": "stratified"},
        ValueError,
        "random",
    ),
    ("twins.csv", {"target": "kind"}, ValueError, "several columns of one name: 'size'"),
    ("gaps.csv", {"target": "v", "forecast": 1}, ValueError, "6 of its 8 values are missing"),
    ("gaps.csv", {"target": "w", "forecast": 1}, ValueError, "values are not numbers, e.g. 'x'"),
    ("gaps.csv", {"target": "v", "time": "w", "forecast": 1}, ValueError, "neither dates nor num"),
    ("table.csv", {"target": "kind", "split": "groups"}, ValueError, "split must be one of"),
    ("table.csv", {"target": "kind", "split": "group"}, ValueError, "group='patient'"),
    ("table.csv", {"target": "kind", "test": 1.5}, ValueError, "fraction from 0 to 1"),
    ("table.csv", {"target": "kind", "test": float("nan")}, ValueError, "fraction from 0 to 1"),
    ("table.csv", {"target": "kind", "batch_size": 0}, ValueError, "load: batch_size.*at least 1"),
    ("table.csv", {"target": "kind", "seed": -1}, ValueError, "load: seed .* at least 0"),
    ("table.csv", {"target": "kind", "columns": ["size"] * 2}, ValueError, "names 'size' more"),
    ("table.csv", {"target": "kind", "columns": "size"}, ValueError, "Fix: columns=..size.."),
    ("table.csv", {"target": "kind", "columns": ["kind"]}, ValueError, "which is the target"),
    ("table.csv", {"target": "kind", "text": "kind"}, ValueError, "target and text are both"),
    ("table.csv", {"target": "kind", "time": "kind"}, ValueError, "target and time are both"),
    ("table.csv", {"target": "kind", "day_first": "yes"}, ValueError, "day_first must be True"),
    ("table.csv", {"target": ["kind"]}, TypeError, "target is the name of a column"),
    ("table.csv", {"target": "kind", "decimal_comma": 1.5}, ValueError, "decimal_comma must be"),
    ("table.csv", {"target": "kind", "drop": "size"}, ValueError, "Fix: drop=..size.."),
    ("table.csv", {"target": "kind", "drop": ["kind"]}, ValueError, "which is the target"),
    ("table.csv", {"target": "kind", "drop": ["sise"]}, ValueError, "Did you mean 'size'"),
    ("table.csv", {"target": "kind", "window": 3}, ValueError, "window=3 is for a series"),
    ("table.csv", {"target": "kind", "image_size": (8, 8)}, ValueError, "is for pictures"),
    (
        "table.csv",
        {"target": "kind", "text": "size", "columns": ["size"]},
        ValueError,
        "no effect on texts of a table",
    ),
    ("short.csv", {"target": "v", "forecast": 1, "split": "random"}, ValueError, "follow each"),
    ("loose", {"forecast": 2}, ValueError, "has no effect on pictures"),
    ("loose", {"task": "number"}, ValueError, "only classes can be learnt"),
    ("one", {"target": "age"}, ValueError, "no table beside the pictures"),
    ("spaces.csv", {"target": "kind"}, ValueError, "spaces separate its values"),
    ("names.csv", {"target": "kind"}, ValueError, "another value in nearly every row"),
    ("constant.csv", {"target": "kind"}, ValueError, "a single value, 'a'"),
    ("missing.csv", {"target": "kind"}, ValueError, "has no values"),
    ("alone.csv", {"target": "kind"}, ValueError, "No column is left"),
    ("short.csv", {"target": "v", "forecast": 12}, ValueError, "too few"),
]


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    root = tmp_path_factory.mktemp("bad")
    messages(root)
    return root


@pytest.mark.parametrize(("source", "arguments", "error", "message"), BAD)
def test_what_cannot_be_learnt_from_is_refused_with_a_reason(
    bad, source, arguments, error, message
):
    with pytest.raises(error, match=f"(?s){message}"):
        quiet(bad / source, **arguments)


@pytest.mark.parametrize("source", [np.zeros((3, 2)), 7, None])
def test_what_is_no_path_or_table_is_refused(source):
    with pytest.raises(TypeError, match="path of a folder or file, or a data frame"):
        load(source)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_is_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ValueError, match="is a pipe"):
        load(tmp_path / "pipe.csv", target="a")


def test_a_link_to_itself_is_left_out(tmp_path, rng):
    folder_of_pictures(tmp_path, rng, ["a", "b"])
    (tmp_path / "a" / "self.png").symlink_to("self.png")
    assert left_out(quiet(tmp_path)) == "a/self.png is a link to nothing"


def test_a_part_without_samples_is_announced_and_fit_goes_without_it(table):
    table["half"] = np.arange(100) // 50
    data = quiet(table, target="price", split="group", group="half")
    assert data.val.size == 0
    assert any("The val part has no sample" in remark for remark in data.describe().remarks)


def test_more_than_all_cannot_be_kept(table):
    with pytest.raises(ValueError, match="No sample is left to train on"):
        quiet(table[:3], target="price", validation=0.5, test=0.495)
