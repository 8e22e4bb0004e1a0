"""What front processes and the engine process say to each other over a Unix socket.

A stream of frames each way (``frames``). A front sends requests as flat bytes (``inputs``,
``requests``) or as they came (``passed``). The engine sends the outputs of a batch once for all of
its requests (``outputs``, ``replies``), and says which signatures there are (``signatures``,
``routes``). Many requests share a frame: what one costs is then mostly its own bytes. What is the
same for many is said once for each group, as a text that both sides remember.

Whatever arrives is checked before it is used, and nothing in it is code.
"""
