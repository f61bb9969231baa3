"""What passes between host and plugin: `frames` and `messages` say what, `connection` says when, `aio` and
`blocking` move it. docs/PROTOCOL.md is the same for other languages."""
