"""Model backends. One module per framework, and that module alone imports it."""
