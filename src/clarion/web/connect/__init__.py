"""The Connect protocol (https://connectrpc.com/docs/protocol), both roles, without I/O."""
