"""The host's pages: is it alive, what did it say, and let me change that. HTML from the server, no build step.

routes.py    puts the pages together, static files       page.py      a page: who looks, language, words, errors
doors.py     logging in and out, language, pause         overview.py  /
conversations.py  /conversations…                        outbox.py    /outbox…, and what a person does with a reply
stories.py   why a message was answered, or not          words.py     a sentence for every status and reason
charts.py    numbers of a week as bars                   live.py      news for a page that is open

What they show is read by ``src/db/board.py``; what they do, the services do that ``/api`` does it with.
"""
