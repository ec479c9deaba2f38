"""
Where blocks go: one module or package for each kind of sink.

A sink is whatever has the methods of `qldb_stream.typing.Sink`. Each module announces
its kinds through the hook `qldb_stream_register_sinks`, ours in the same way as those of
plug-ins; nothing here is imported before a URL asks for it.
"""
