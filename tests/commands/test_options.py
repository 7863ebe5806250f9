"""The option strings of macros: what we write, we and ImageJ read back."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from zsfiji.commands import example_line, find, format_options, macro_line, parse, table
from zsfiji.errors import UserError

COMMANDS = [find("denoise"), find("fm2s")]

KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
TEXTS = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"]) | st.sampled_from(' []"\\='), max_size=20
)


@st.composite
def values(draw, command):
    """Values that the command takes, as its own validation gives them."""
    chosen = {}
    for parameter in command.parameters:
        if parameter.kind == "choice":
            chosen[parameter.key] = draw(st.sampled_from(parameter.choices))
        elif parameter.kind == "integer":
            low, high = int(parameter.minimum), int(parameter.maximum)
            chosen[parameter.key] = draw(st.integers(low, high))
        elif parameter.kind in ("open", "save"):
            name = draw(st.text(st.characters(categories=["L", "N"]) | st.sampled_from(" ._-()[]")))
            chosen[parameter.key] = f"/data/{name.strip()}x.zsfiji" if name.strip() else None
    if chosen["apply_model"] is not None:
        chosen["save_model"] = None
    return command.validate(chosen)


@given(st.sampled_from(COMMANDS).flatmap(lambda c: st.tuples(st.just(c), values(c))))
def test_what_is_written_is_read_back_and_means_the_same(pair):
    command, chosen = pair
    assert command.validate(parse(format_options(command, chosen))) == chosen


@pytest.mark.parametrize("command", table().values(), ids=table())
def test_a_box_that_is_ticked_or_not_stays_so(command):
    options = parse(example_line(command).split('", "')[1].removesuffix('");'))
    for parameter in command.parameters:
        for ticked in (True, False) if parameter.kind == "boolean" else ():
            chosen = command.checker.all({**options, parameter.key: ticked})
            again = command.checker.all(parse(format_options(command, chosen)))
            assert again == chosen, parameter.key


@given(st.dictionaries(KEYS, TEXTS, max_size=4))
def test_any_text_can_be_written_in_one_of_the_three_forms(options):
    from zsfiji.commands.options import _written

    text = " ".join(f"{key}={_written(value)}" for key, value in options.items())
    assert parse(text) == options


@pytest.mark.jvm
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_imagej_reads_what_we_write(ij, data):
    command = data.draw(st.sampled_from(COMMANDS))
    chosen = data.draw(values(command))
    paths = [str(v) for v in (chosen["apply_model"], chosen["save_model"]) if v]
    # Brackets that do not pair need quotation marks, which ImageJ's own parser does not know.
    assume(all(_balanced(path) for path in paths))
    written = format_options(command, chosen)
    for key, value in parse(written).items():
        assert str(ij.ij1.Macro.getValue(written + " ", key, "nothing")) == value


def _balanced(text):
    depth = 0
    for character in text:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0


@given(st.text(max_size=40))
def test_any_string_is_read_or_refused_in_words(text):
    with suppress(UserError):
        assert all(key and key == key.lower() for key in parse(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("   ", {}),
        ("a=1 b=[x y] c", {"a": "1", "b": "x y", "c": True}),
        ("A=Big", {"a": "Big"}),
        ("a=[x [y] z]", {"a": "x [y] z"}),
        (r'a="x \"y\" \\ ]"', {"a": r'x "y" \ ]'}),
        ("a=[] b=", {"a": "", "b": ""}),
        ("psf_sigma=2 sigma=1", {"psf_sigma": "2", "sigma": "1"}),
        ("path=[/a sigma=3/b] sigma=1", {"path": "/a sigma=3/b", "sigma": "1"}),
        ("a=1\n\tb=2", {"a": "1", "b": "2"}),
    ],
)
def test_the_grammar(text, found):
    assert parse(text) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("=1", "option name"),
        ("[a]", "option name"),
        ("a=[x", "bracket"),
        ('a="x', "quotation mark"),
        ("a=[x]b=1", "blank is missing"),
        ("a=1 a=2", "given twice"),
        ("a=1 A=2", "given twice"),
    ],
)
def test_what_breaks_the_grammar_is_refused_by_name(text, words):
    with pytest.raises(UserError, match=words):
        parse(text)


def test_a_line_leaves_out_advanced_options_at_their_defaults():
    command = find("denoise")
    assert macro_line(command, command.validate({})) == (
        'run("Zero-Shot Denoise...", "quality=standard fit_per=channel seed=0");'
    )
    line = macro_line(command, command.validate({"device": "cpu"}))
    assert line.endswith('seed=0 device=cpu");')
    line = macro_line(command, command.validate({"uncertainty": "true"}))
    assert line.endswith('seed=0 uncertainty=true");')


def test_a_line_with_quotation_marks_is_a_valid_macro_string():
    command = find("denoise")
    line = macro_line(command, command.validate({"save_model": 'a]"\\b'}))
    assert line.endswith(r'save_model=\"a]\\\"\\\\b\"");')
