"""The table of figures: what modules print becomes rows, and the document keeps its other text."""

from tests.bench.__main__ import Figure, again, figures, put, table


def test_json_lines_become_figures_and_other_lines_do_not():
    printed = (
        'warming up\n{"figure": "plugin call", "value": 9.5, "unit": "us", "peer": "Extism", '
        '"ratio": 0.8}\n{"figure": "alone", "value": 1, "unit": "s", "peer": null}\n'
    )
    first, second = figures("plugins", printed)
    assert first == Figure("`plugins`", "plugin call", 9.5, "us", "Extism", 0.8)
    assert first.row() == "| plugin call | 9.5 | us | Extism | 0.80x | `plugins` |"
    assert second.row() == "| alone | 1 | s |  |  | `plugins` |"


def test_a_peer_that_is_a_number_is_told_with_its_unit():
    (only,) = figures("j", '{"figure": "f", "value": 1, "unit": "ms", "peer": 2.5, "ratio": 0.4}')
    assert only.row() == "| f | 1 | ms | 2.5 ms | 0.40x | `j` |"


def test_the_table_names_the_machine():
    text = table([Figure("`a`", "b", 2.0, "ms")])
    assert "cores" in text.splitlines()[0]
    assert text.splitlines()[-1] == "| b | 2 | ms |  |  | `a` |"


def test_the_table_replaces_the_old_one_between_the_markers():
    first = put("# Figures\n\nintroduction\n", "old")
    assert first.startswith("# Figures\n\nintroduction\n")
    second = put(first + "\nmore\n", "new")
    assert "old" not in second
    assert second.endswith("\nmore\n")
    assert second.count("<!-- figures -->") == second.count("<!-- /figures -->") == 1


def test_some_modules_measured_again_leave_the_rows_of_the_others():
    document = put("text\n", table([Figure("`a`", "x", 1, "s"), Figure("`b`", "y", 2, "s")]))
    for value in (3, 4):
        document = again(document, ["a"], [Figure("`a`", "x", value, "s")], f"load {value}")
    rows = [line for line in document.splitlines() if line.startswith("| ")]
    assert rows[1:] == ["| x | 4 | s |  |  | `a` |", "| y | 2 | s |  |  | `b` |"]
    assert document.count("The rows of `a` are of another run, load 4.") == 1
    assert "load 3" not in document


def test_what_is_measured_again_is_told_of_once_whatever_it_was_measured_with():
    rows = [Figure(f"`{name}`", name, 1, "s") for name in "abc"]
    document = put("text\n", table(rows))
    document = again(document, ["a", "b"], rows[:2], "load 1")
    document = again(document, ["b", "c"], rows[1:], "load 2")
    told = [line for line in document.splitlines() if line.startswith("The rows of")]
    assert told == [
        "The rows of `a` are of another run, load 1.",
        "The rows of `b`, `c` are of another run, load 2.",
    ]
    document = again(document, ["a"], rows[:1], "load 3")
    assert "load 1" not in document
