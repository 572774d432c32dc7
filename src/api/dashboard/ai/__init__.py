"""The pages about the AI: what it rests on, what it does not know, what it may send, and how it does.

side.py      what these pages work with         why.py           why an answer is as it is, on other pages
routes.py    puts the pages together            words.py         a sentence for every topic, step and finding
autonomy.py  /ai/autonomy                       results.py     /ai/results
translation.py   /ai/translations
missing_facts.py  /ai/missing-facts             knowledge.py   /ai/knowledge
autonomy.py  /ai/autonomy                       missing_facts.py /ai/missing-facts
results.py   /ai/results
"""
