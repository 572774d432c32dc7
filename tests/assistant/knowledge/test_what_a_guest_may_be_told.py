"""Which facts a guest may be told: by listing, stage, day and agent."""

from __future__ import annotations

from datetime import date

import pytest

from src.assistant.knowledge import load
from src.assistant.values import Stage
from tests.assistant.knowledge.folders import LISTING, write

TODAY = date(2027, 3, 2)


def topics(knowledge, stage=Stage.INQUIRY, listing="4711", day=TODAY, agent=None):
    return [fact.topic for fact in knowledge.facts_for(listing, stage, day, agent)]


@pytest.fixture
def knowledge(tmp_path):
    write(
        tmp_path,
        {
            "all.csv": "topic,answer,audience,agent\nPets,No.,anyone,\nBins,Blue.,booked,\nGas,Cellar.,staying,host\n",
            "season.csv": "topic,answer,valid_from,valid_until\nPool,Open.,2027-03-02,2027-03-04\n",
            "two.md": "---\nlistings: [4711, 4712]\n---\n## Bikes\nTwo.\n",
            "listings/4711-attic/listing.toml": LISTING,
            "listings/4711-attic/attic.md": "## Kettle\nKitchen.\n",
            "listings/4712/garden.md": "## Garden\nGreen.\n",
        },
    )
    return load(tmp_path)


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        (Stage.INQUIRY, {"pets"}),
        (Stage.REQUEST, {"pets"}),
        (Stage.BOOKED, {"pets", "bins"}),
        (Stage.STAYING, {"pets", "bins", "gas"}),
        (Stage.PAST, {"pets"}),
        (Stage.CANCELLED, {"pets"}),
    ],
)
def test_who_only_asks_is_not_told_what_booked_guests_are(knowledge, stage, told):
    assert set(topics(knowledge, stage)) & {"pets", "bins", "gas"} == told


def test_a_fact_is_told_on_its_first_and_last_day_and_on_no_other(knowledge):
    days = [date(2027, 3, day) for day in (1, 2, 4, 5)]
    assert ["pool" in topics(knowledge, day=day) for day in days] == [False, True, True, False]


def test_facts_of_another_listing_are_not_told(knowledge):
    assert "garden" not in topics(knowledge)
    assert topics(knowledge, listing="4712") == ["bikes", "garden", "pets", "pool"]
    assert topics(knowledge, listing="9999") == ["pets", "pool"]
    assert topics(knowledge, listing=None) == ["pets", "pool"]


def test_a_fact_of_several_listings_names_the_one_it_was_chosen_for(knowledge):
    (fact,) = [one for one in knowledge.facts_for("4712", Stage.INQUIRY, TODAY) if one.topic == "bikes"]
    assert fact.listing_id == "4712"


def test_a_fact_of_the_listing_wins_over_one_for_all_on_the_same_topic(tmp_path):
    write(
        tmp_path,
        {
            "all.md": "## Parking\nNowhere.\n\n## Pets\nNo.\n",
            "listings/4711/a.md": "---\naudience: booked\n---\n## Parking\nIn the yard.\n",
        },
    )
    knowledge = load(tmp_path)

    assert [f.text for f in knowledge.facts_for("4711", Stage.BOOKED, TODAY)] == [
        "Parking\nIn the yard.",
        "Pets\nNo.",
    ]
    assert "Parking\nNowhere." in [f.text for f in knowledge.facts_for("4711", Stage.INQUIRY, TODAY)]


def test_the_agents_own_facts_come_first_and_no_fact_is_hidden(knowledge, tmp_path):
    write(tmp_path, {"z.csv": "topic,answer,agent\nTaxi,Call one.,concierge\nBus,Line 4.,all\n"})
    knowledge = load(tmp_path)

    assert topics(knowledge, Stage.STAYING, agent="concierge")[-1] == "gas"
    assert topics(knowledge, Stage.STAYING, agent="host")[-1] == "taxi"
    assert set(topics(knowledge, Stage.STAYING, agent="host")) == set(topics(knowledge, Stage.STAYING))


def test_facts_come_in_the_same_order_every_time(knowledge, tmp_path):
    assert topics(knowledge, Stage.STAYING) == topics(load(tmp_path), Stage.STAYING)


def test_a_listing_is_found_by_its_id_and_by_the_whole_name_of_its_folder(knowledge):
    attic = knowledge.listing("4711")
    assert attic is not None
    assert attic == knowledge.listing("4711-attic")
    assert (attic.name, attic.time_zone, attic.max_guests, attic.emergency) == (
        "The attic",
        "Europe/Paris",
        4,
        "112",
    )
    assert (attic.check_in.hour, attic.check_out.hour, attic.languages) == (15, 11, ("en", "fr"))
    assert knowledge.listing("47") is None
    assert knowledge.listing(None) is None
