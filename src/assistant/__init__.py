"""The built-in assistant: a guest's message goes in as an AI webhook payload, a decision comes out.

It knows nothing of channels, queues, HTTP servers or when it runs. Everything that it needs stands in the payload,
in the host's knowledge folder and in its settings; everything that it wants is in the decision.

    answer.py      the pipeline, step by step          prompts/, prompting.py    what a model is told
    burst.py       the payload, read with care         triage, draft, check.py   one model call each
    rules/         what a person answers               models.py                 the ladder of models
    gate.py        what no draft may hold              knowledge/, retrieve.py   the host's facts
    decide.py      the strictest voice wins            secrets.py                what no model ever sees
    voice.py       how the host writes                 host_texts.py            fixed texts, by the clock
    endings.py     to a person, with a holding text    live.py                   while the program runs
"""
