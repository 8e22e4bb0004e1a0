"""The process that people start and signal when connections have processes of their own.

It holds the listening sockets and its children: fronts, which take connections, and the engine,
which runs the models. It serves nothing itself and imports no framework, so that nothing a request
or a model does can end it.
"""
