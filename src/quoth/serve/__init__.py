"""The doors that people and programs come in by: the page, REST, the OpenAI-compatible API, MCP over HTTP.

state.py      Server: the library, its threads, its background writer; what every request uses
app.py        create(server) → the application, all doors in it
gate.py       who may come in: hosts, origins, tokens, sessions, sizes; security headers
problems.py   every error as an RFC 9457 problem
asking.py     ask and search, as JSON and as a stream of events
"""
