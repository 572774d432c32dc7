"""Which texts deny that an AI writes, and the sentence that says so."""

import pytest

from src.model.disclosure import default_text, denies_being_ai

DENIALS = [
    "I am a person",
    "I'm a real human, promise",
    "No worries, I’m not a bot!",
    "I'm definitely not an AI",
    "You're talking to a real human",
    "There is no robot here",
    "Je suis une vraie personne",
    "Je ne suis pas un robot",
    "Mais non, je suis humaine",
    "Sou uma pessoa de verdade",
    "Não sou um robô",
    "Soy una persona real",
    "No soy un bot",
    "Ich bin ein echter Mensch",
    "Ich bin kein Bot",
    "Sono una persona vera",
    "Non sono un robot",
    "Ik ben een mens",
    "Ik ben geen robot",
]
OTHERS = [
    "I am an AI assistant, not a human being",
    "The flat sleeps four persons",
    "I'm a morning person",
    "A person of our team will call you",
    "Are you a robot? No.",
    "Je suis un assistant IA",
    "Je suis en personne sur place",
    "Une personne vous répondra",
    "Sou um assistente de IA",
    "Ich bin ein KI-Assistent",
    "Der Roboter mäht den Rasen",
    "Soy un asistente de IA",
]


@pytest.mark.parametrize("text", DENIALS)
def test_a_denial_is_found(text):
    assert denies_being_ai(text)
    assert denies_being_ai(f"Hello!\n\n{text.upper()} Anyway, see you.")


@pytest.mark.parametrize("text", OTHERS)
def test_what_denies_nothing_is_none(text):
    assert not denies_being_ai(text)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ("Yes, there is a cot for the baby", "I am an AI"),
        ("Bonjour, oui, il y a un lit pour le bébé", "Je suis un assistant IA"),
        ("Olá, sim, tem um berço para o bebê", "Sou um assistente de IA"),
        ("Ja, gern", "I am an AI"),
        ("", "I am an AI"),
    ],
)
def test_the_sentence_is_in_the_language_of_the_answer(answer, begins):
    assert default_text(answer).startswith(begins)
    assert not denies_being_ai(default_text(answer))
