"""The bytes of the protocol: headers and bodies, without any I/O."""
