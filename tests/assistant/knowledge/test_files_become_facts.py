"""What Markdown and CSV files become."""

from __future__ import annotations

from datetime import date

import pytest

from src.assistant.knowledge import load
from src.assistant.knowledge.documents import FileError
from src.assistant.knowledge.markdown import LONGEST, read_markdown
from src.assistant.knowledge.table import read_table
from src.assistant.values import Audience
from tests.assistant.knowledge.folders import LISTING, write


def markdown(text, path="house.md", listing_id=None):
    return read_markdown(path, text, "0" * 64, folder=None, listing_id=listing_id)


def table(text, path="house.csv", listing_id=None):
    return read_table(path, text, "0" * 64, folder=None, listing_id=listing_id)


def test_each_heading_is_one_fact_with_its_path_and_topic():
    found = markdown("# The house\n\n## Kettle\nIn the kitchen.\n\n## Wi-Fi & TV\nBoth work.\n")

    assert [fact.id for fact in found.facts] == ["house.md#kettle", "house.md#wi-fi-tv"]
    assert found.facts[0].text == "The house › Kettle\nIn the kitchen."
    assert found.facts[0].title == "Kettle"
    assert found.title == "The house"
    assert found.lines == (3, 6)


def test_text_before_the_first_heading_is_a_fact_named_after_the_title():
    assert markdown("Bikes are in the cellar.\n", "cellar.md").facts[0].id == "cellar.md#cellar"
    assert markdown("---\ntitle: Bikes\n---\nIn the cellar.\n").facts[0].id == "house.md#bikes"


def test_a_second_heading_of_the_same_name_gets_an_id_of_its_own():
    found = markdown("## Key\nBelow the mat.\n\n## Key\nIn the safe.\n")

    assert [fact.id for fact in found.facts] == ["house.md#key", "house.md#key-2"]
    assert {fact.topic for fact in found.facts} == {"key"}


def test_a_long_text_is_split_between_paragraphs():
    paragraphs = "\n\n".join(f"Sentence {i} about the garden. " * 8 for i in range(12))
    found = markdown(f"## Garden\n{paragraphs}\n")

    assert len(found.facts) > 1
    assert all(len(fact.text) <= LONGEST + len("Garden\n") for fact in found.facts)
    assert "".join(" ".join(f.text.split("\n", 1)[1].split()) for f in found.facts).count("garden") == 96


def test_a_single_paragraph_that_is_too_long_is_split_between_words():
    found = markdown("## Garden\n" + "flower " * 400)

    assert all(len(fact.text) <= LONGEST + len("Garden\n") for fact in found.facts)
    assert sum(fact.text.count("flower") for fact in found.facts) == 400


def test_comments_are_notes_to_oneself():
    found = markdown("## Key\nIn the safe. <!-- never\nsay which -->\n<!-- ## Secret\nnothing -->\n")

    assert [fact.text for fact in found.facts] == ["Key\nIn the safe."]


def test_a_heading_in_a_code_block_is_no_heading():
    assert len(markdown("## Key\n```\n# not a heading\n```\n").facts) == 1


def test_front_matter_says_to_whom_and_when_it_may_be_told():
    found = markdown(
        "---\ntitle: Pool\nagent: concierge\naudience: booked\nlanguage: no\nvalid_from: 2027-05-01\n"
        "valid_until: 2027-09-30\nreviewed: 2027-01-15\nlistings: [4711, 4712]\n---\n## Pool\nOpen.\n"
    )

    fact = found.facts[0]
    assert (fact.agent, fact.audience, fact.language) == ("concierge", Audience.BOOKED, "no")
    assert (fact.valid_from, fact.valid_until) == (date(2027, 5, 1), date(2027, 9, 30))
    assert fact.reviewed == date(2027, 1, 15)
    assert found.fact_listings == (("4711", "4712"),)
    assert found.lines == (11,)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("---\ntitel: Pool\n---\nOpen.", 2, "did you mean title?"),
        ("---\ntitle: Pool\naudience: friends\n---\nOpen.", 3, "anyone, booked, staying"),
        ("---\nvalid_until: soon\n---\nOpen.", 2, "write it like 2027-05-31"),
        ("---\nvalid_from: 2027-02-30\n---\nOpen.", 2, "write it like 2027-05-31"),
        ("---\nvalid_from: 2027-05-31\nvalid_until: 2027-05-01\n---\nOpen.", 2, "exchange the two"),
        ("---\ntitle: Pool\nOpen.", 1, "write a line ---"),
        ("---\na: [\n---\nOpen.", 2, "cannot be read"),
        ("---\njust words\n---\nOpen.", 2, "cannot be read"),
        ("---\nlanguage: english\n---\nOpen.", 2, "no language code"),
    ],
)
def test_front_matter_that_is_wrong_names_the_line_and_the_cure(text, line, words):
    with pytest.raises(FileError) as caught:
        markdown(text)
    assert words in caught.value.text
    assert caught.value.line == line


def test_each_row_of_a_table_is_one_fact():
    found = table(
        "topic,question,answer,listing,audience,language,valid_until\n"
        'Iron,Is there an iron?,"Yes, in the wardrobe.",4711,booked,en,2027-05-31\n'
        ",Is there a sauna?,No.,,,,\n"
        ",,,,,,\n"
    )

    assert [fact.id for fact in found.facts] == ["house.csv#iron", "house.csv#is-there-a-sauna"]
    assert found.facts[0].text == "Is there an iron?\nYes, in the wardrobe."
    assert found.facts[0].audience is Audience.BOOKED
    assert found.fact_listings == (("4711",), ())
    assert found.lines == (2, 3)


def test_a_table_of_a_spreadsheet_with_semicolons_and_a_mark_at_its_beginning_is_read(tmp_path):
    (tmp_path / "table.csv").write_bytes("\ufefftopic;answer\r\nIron;Yes, in the wardrobe.\r\n".encode())

    (document,) = load(tmp_path).documents
    assert document.facts[0].text == "Iron\nYes, in the wardrobe."


def test_a_row_over_several_lines_counts_its_lines():
    with pytest.raises(FileError) as caught:
        table('topic,answer\nIron,"Yes,\nin the\nwardrobe."\nSauna,\n')
    assert caught.value.line == 5


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("topic,reply\nIron,Yes", 1, "is not known here"),
        ("topic,anwser\nIron,Yes", 1, "did you mean answer?"),
        ("topic\nIron", 1, "must name the columns"),
        ("", 1, "must name the columns"),
        ("topic,topic,answer\na,b,c", 1, "twice"),
        ("topic,answer\nIron,Yes, in the wardrobe", 2, "more cells than the header"),
        ("topic,answer\nIron,", 2, "needs an answer"),
        ("topic,answer,audience\nIron,Yes,friends", 2, "anyone, booked, staying"),
        ('topic,answer\nIron,"Yes" indeed', 2, "cannot be read"),
        ("topic,answer,valid_from,valid_until\na,b,2027-02-01,2027-01-01", 2, "exchange the two"),
    ],
)
def test_a_table_that_is_wrong_names_the_line_and_the_cure(text, line, words):
    with pytest.raises(FileError) as caught:
        table(text)
    assert words in caught.value.text
    assert caught.value.line == line


def test_a_file_in_a_listings_folder_is_for_that_listing(tmp_path):
    write(
        tmp_path,
        {
            "listings/4711-attic/listing.toml": LISTING,
            "listings/4711-attic/attic.md": "## Kettle\nIn the kitchen.\n",
            "listings/4711-attic/more/table.csv": "topic,answer\nIron,Yes.\n",
            "city/town.md": "## Bakery\nClosed on Mondays.\n",
        },
    )

    ids = {fact.id: fact.listing_id for document in load(tmp_path).documents for fact in document.facts}

    assert ids == {
        "city/town.md#bakery": None,
        "listings/4711-attic/attic.md#kettle": "4711",
        "listings/4711-attic/more/table.csv#iron": "4711",
    }


def test_a_file_of_one_listing_cannot_name_another(tmp_path):
    write(
        tmp_path,
        {
            "listings/4711/a.md": "---\nlistings: [4712]\n---\n## Key\nHere.\n",
            "listings/4711/b.csv": "topic,answer,listing\nKey,Here,4712\n",
        },
    )

    assert [(one.place, "4711" in one.text) for one in load(tmp_path).errors] == [
        ("listings/4711/a.md:2", True),
        ("listings/4711/b.csv:2", True),
    ]
