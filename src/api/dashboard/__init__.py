"""The host's pages: is it alive, what did it say, and let me change that. HTML from the server, no build step.

routes.py    puts the pages together                     page.py      a page: who looks, language, words, errors
doors.py     logging in and out, language                overview.py  /, and pausing
conversations.py  /conversations…, and setting modes     outbox.py    /outbox…, and what a person does with a reply
timeline.py  why a message was answered, or not          words.py     a sentence for every status and reason
week.py      the numbers of a week; charts.py: as bars   live.py      news for a page that is open
reconnect.py /reconnect, after a halt                    paging.py    long lists; assets.py: files of the pages

ai/          the pages about the AI: why an answer is as it is, and what it knows

What they show is read by ``src/db/waiting.py`` and ``src/db/activity.py``; what they do, the services do that
``/api`` does it with.
"""
