"""ChatGPT payloads become rows: pure functions that never raise on any JSON value."""
