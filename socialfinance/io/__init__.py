"""Files in and out: YAML with line marks, the shipped library, references, plain messages, JSON Schema."""
