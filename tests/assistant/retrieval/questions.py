"""Invented facts of one house in two languages, guests' questions in thirteen, and what dilutes them.

Each question names the topic of the fact that answers it. The English translation is what a model's triage would
add; questions in the facts' language have none.
"""

from __future__ import annotations

import random

from src.assistant.values import Fact

EN = {
    "check-in": "Check-in is from 15:00. Earlier arrivals can leave their luggage in the hall from noon.",
    "check-out": "Check-out is until 11:00. Put the keys on the table and pull the door shut.",
    "parking": "There is no parking at the house. The car park Les Tilleuls is 300 metres away.",
    "wi-fi": "The network is called Attic Guests. The router is behind the television.",
    "heating": "The thermostat is next to the kitchen door. Turn it to the right for more warmth.",
    "kettle": "The kettle is in the cupboard above the sink; tea bags are in the tin beside it.",
    "coffee": "The coffee machine takes ground coffee; filters are in the second drawer.",
    "washing-machine": "The washing machine is in the bathroom. Powder is under the basin.",
    "hair-dryer": "A hair dryer hangs on the hook behind the bathroom door.",
    "iron": "Iron and ironing board are in the wardrobe of the bedroom.",
    "cot": "A travel cot and a high chair stand in the wardrobe; sheets for the cot are not there.",
    "beds": "There is a double bed in the bedroom and a sofa bed for two in the living room.",
    "towels": "Two towels for each person lie on the bed. Beach towels are not there.",
    "pets": "Dogs and cats cannot stay with us.",
    "smoking": "Smoking is not allowed inside, nor at the windows.",
    "quiet": "Please keep quiet from 22:00 to 8:00; the neighbours get up early.",
    "bins": "Rubbish goes into the grey bins in the yard, glass into the container at the corner.",
    "stairs": "The flat is on the fourth floor, and the house has no lift.",
    "bakery": "The nearest bakery is 200 metres to the left of the door, closed on Mondays.",
    "supermarket": "A supermarket stands behind the church, open until 20:00.",
    "tram": "Line C stops five minutes away on foot and takes twelve minutes to the main station.",
    "airport": "A shuttle bus leaves the main station for the airport every hour.",
    "pharmacy": "The pharmacy is on the market square; at night a sign on its door names the one on duty.",
    "bicycles": "Two bicycles stand in the cellar; the key hangs beside the door of the flat.",
}
FR = {
    "four": "Le four se règle avec le bouton de droite ; les plats sont dans le tiroir du bas.",
    "lave-vaisselle": "Le lave-vaisselle est à gauche de l'évier, les tablettes sont dessous.",
    "climatisation": "Il n'y a pas de climatisation, mais deux ventilateurs sont dans le placard de l'entrée.",
    "télévision": "La télévision a les chaînes françaises et une prise HDMI sur le côté.",
    "terrasse": "La terrasse a une table, quatre chaises et un parasol ; le barbecue est interdit.",
    "piscine": "La piscine municipale est à dix minutes à pied, ouverte tous les jours sauf le mardi.",
    "médecin": "Le médecin du quartier reçoit sans rendez-vous le matin, au 12 de la rue Imaginaire.",
    "taxe": "La taxe de séjour est comprise dans le prix.",
}
# language, question, its English, topic
QUESTIONS = [
    ("en", "what time can we get into the flat on friday?", "", "check-in"),
    ("en", "When do we have to leave on Sunday", "", "check-out"),
    ("en", "Anywhere to put our car?", "", "parking"),
    ("en", "its freezing in here how do i make it warmer", "", "heating"),
    ("en", "Where do I throw the trash?", "", "bins"),
    ("en", "does it have an elevator? my mum has bad knees", "", "stairs"),
    ("en", "can we bring our puppy", "", "pets"),
    ("en", "is there a dishwasher", "", "lave-vaisselle"),
    ("en", "Do you have AC?", "", "climatisation"),
    ("fr", "À quelle heure peut-on arriver ?", "What time can we arrive?", "check-in"),
    ("fr", "Où peut-on garer la voiture ?", "Where can we park the car?", "parking"),
    ("fr", "y a-t-il un sèche-cheveux", "Is there a hair dryer?", "hair-dryer"),
    ("fr", "Le four marche comment ?", "", "four"),
    ("fr", "Peut-on faire un barbecue ?", "", "terrasse"),
    ("de", "Gibt es einen Wasserkocher?", "Is there a kettle?", "kettle"),
    ("de", "Wo kommt der Müll hin?", "Where does the rubbish go?", "bins"),
    ("de", "Dürfen wir unseren Hund mitbringen?", "May we bring our dog?", "pets"),
    ("de", "Ist eine Waschmaschine vorhanden", "Is there a washing machine?", "washing-machine"),
    ("de", "Kann man draußen auf der Terrasse grillen?", "Can we have a barbecue?", "terrasse"),
    ("es", "¿Hay toallas en el apartamento?", "Are there towels?", "towels"),
    ("es", "¿A qué hora hay que dejar el piso?", "When do we have to leave?", "check-out"),
    ("es", "hay ascensor?", "Is there a lift?", "stairs"),
    ("es", "¿Dónde está la farmacia más cercana?", "Where is the nearest pharmacy?", "pharmacy"),
    ("it", "C'è un ferro da stiro?", "Is there an iron?", "iron"),
    ("it", "Come si arriva all'aeroporto?", "How do we get to the airport?", "airport"),
    ("it", "Avete l'aria condizionata?", "Do you have air conditioning?", "climatisation"),
    ("pt", "Há berço para o bebé?", "Is there a cot for the baby?", "cot"),
    ("pt", "Onde posso comprar pão?", "Where can I buy bread?", "bakery"),
    ("pt", "A taxa turística está incluída?", "Is the tourist tax included?", "taxe"),
    ("nl", "Mogen we binnen roken?", "May we smoke inside?", "smoking"),
    ("nl", "Hoe zet ik koffie?", "How do I make coffee?", "coffee"),
    ("nl", "Zijn er fietsen?", "Are there bicycles?", "bicycles"),
    ("pl", "Ile jest łóżek?", "How many beds are there?", "beds"),
    ("pl", "Gdzie jest najbliższy sklep spożywczy?", "Where is the nearest grocery shop?", "supermarket"),
    (
        "ru",
        "Какой пароль от вайфая? Где роутер?",
        "What is the Wi-Fi password? Where is the router?",
        "wi-fi",
    ),
    ("ru", "Где можно припарковаться?", "Where can we park?", "parking"),
    ("ja", "ドライヤーはありますか？", "Is there a hair dryer?", "hair-dryer"),
    ("ja", "チェックインは何時からですか", "From what time is check-in?", "check-in"),
    ("zh", "可以带宠物吗？", "Can we bring pets?", "pets"),
    ("zh", "附近有游泳池吗？", "Is there a swimming pool nearby?", "piscine"),
    ("ko", "세탁기가 있나요?", "Is there a washing machine?", "washing-machine"),
    ("ko", "근처에 슈퍼마켓이 있나요?", "Is there a supermarket nearby?", "supermarket"),
    ("sv", "Hur dags är utcheckning?", "When is check-out?", "check-out"),
    ("sv", "Finns det någon läkare i närheten?", "Is there a doctor nearby?", "médecin"),
    ("tr", "Klima var mı?", "Is there air conditioning?", "climatisation"),
    ("tr", "Tramvay durağı nerede?", "Where is the tram stop?", "tram"),
]
# What triage adds where the facts are in French; the questions above are translated into English alone.
IN_FRENCH = {
    "lave-vaisselle": "Y a-t-il un lave-vaisselle ?",
    "climatisation": "Y a-t-il la climatisation ?",
    "terrasse": "Peut-on faire un barbecue sur la terrasse ?",
    "taxe": "La taxe de séjour est-elle comprise ?",
    "piscine": "Y a-t-il une piscine à proximité ?",
    "médecin": "Y a-t-il un médecin à proximité ?",
}
_THINGS = [
    "museum",
    "theatre",
    "lake",
    "castle",
    "garden",
    "bookshop",
    "market",
    "cinema",
    "bridge",
    "chapel",
    "tower",
    "vineyard",
    "gallery",
    "zoo",
    "library",
    "gorge",
    "waterfall",
    "cave",
    "cable car",
    "concert hall",
    "boat trip",
    "climbing wall",
    "brewery",
    "pottery",
    "farm shop",
]
_NAMES = [
    "Amber",
    "Birch",
    "Cedar",
    "Dahlia",
    "Elder",
    "Fern",
    "Gorse",
    "Hazel",
    "Iris",
    "Juniper",
    "Kale",
    "Laurel",
    "Maple",
    "Nettle",
    "Olive",
    "Poppy",
]
_TAILS = (
    "is open from Wednesday to Sunday and asks for a booking.",
    "lies on the other side of the river; the path there is steep.",
    "has a small restaurant with a view, and music on summer evenings.",
    "was built in an old factory and shows work by people of the region.",
    "closes in winter; guided walks begin at the gate every afternoon.",
)


def facts(diluted_to: int = 0) -> list[Fact]:
    """The facts of the house, and others about the surroundings until there are so many."""
    found = [_fact(topic, text, "en") for topic, text in EN.items()]
    found += [_fact(topic, text, "fr") for topic, text in FR.items()]
    others = [(thing, name, tail) for tail in _TAILS for thing in _THINGS for name in _NAMES]
    random.Random(7).shuffle(others)
    for number, (thing, name, tail) in enumerate(others[: max(0, diluted_to - len(found))]):
        found.append(
            _fact(f"{thing}-{name}-{number}".lower(), f"{name} {thing}\nThe {name} {thing} {tail}", "en")
        )
    return found


def _fact(topic: str, text: str, language: str) -> Fact:
    path = f"{language}.md"
    return Fact(
        f"{path}#{topic}", path, topic, topic, f"{topic.replace('-', ' ')}\n{text}", language=language
    )


def query(language: str, question: str, english: str, topic: str, *, translated: bool) -> dict[str, str]:
    """The question as it is asked, and in the facts' languages where a model has translated it."""
    others = {"en": english, "fr": IN_FRENCH.get(topic, "")} if translated else {}
    return {**{code: text for code, text in others.items() if text}, language: question}
