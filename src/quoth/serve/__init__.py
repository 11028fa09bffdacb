"""The doors that people and programs come in by: the page, REST, the OpenAI-compatible API, MCP over HTTP.

life.py       run a server: listen, answer, end in order;  alone.py   one server that writes to a library
state.py      Server: the library, threads to work in, room for questions; what every request uses
app.py        create(server) → the application, all doors in it
gate.py       who may come in: hosts, origins, tokens, sessions, sizes; security headers
problems.py   every error as an RFC 9457 problem;          replies.py records as JSON
keeper.py     the one background writer, and the watcher;  leash.py   a command that ends with the server

REST          asking, telling, keeping, uploading, doing, talking, measuring, entering
other doors   openai, mcp
the page      page, shell, answers, source, views, drawing, web/
"""
