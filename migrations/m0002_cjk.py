"""Words inside Chinese, Japanese, Korean, Thai text and their like, which stand in no index of spaced words.

``messages_cjk`` holds the texts that have such characters, each of these set apart by spaces, so that a word is a
phrase of its characters: ``messages_cjk MATCH '"京 都"'``. Contentless, for the text stands in ``messages`` already;
the program fills it, for no trigger could set characters apart. Thai and Indic vowel signs are part of their tokens.
"""

SCHEMA = """
CREATE VIRTUAL TABLE messages_cjk USING fts5(
  text, content="", tokenize="unicode61 remove_diacritics 0 categories 'L* M* N* Co'"
);
"""
