"""Tools for assistants: search, read and list chats, never change anything, never answer without end."""
