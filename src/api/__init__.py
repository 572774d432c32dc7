"""HTTP IN: the AI's callback, the operator's side, health and metrics.

app.py        puts everything together           server.py   uvicorn
doors.py      who is let in                      limits.py   how much is read, and what no error may show
callback.py   POST /api/ai/webhook-simple        operator.py what a person does with replies and modes
health.py     /health…                           metrics.py  /metrics        docs.py  /docs
port.py       its port, and who has it           ids.py      what an id may look like
dashboard/, remote/  the pages, and the browser from far away
"""
