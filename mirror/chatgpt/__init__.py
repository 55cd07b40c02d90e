"""ChatGPT as a source: signing in, lists, conversations, and what is beside them.

* ``source`` implements ``mirror.source.Source`` and puts the rest together.
* ``site`` is what ``mirror.web`` has to know, ``session`` sends signed-in requests, ``identity`` asks whose they are.
* ``lists``, ``list_rows``, ``paging`` and ``projects`` find out which conversations there are.
* ``conversations`` chooses what to believe of ``batch`` and of ``by_id`` (``single``, ``plural``), by ``completeness``.
* ``account_data`` reads what is beside them, ``periodic_tasks`` says when, ``memory`` is kept from run to run.
"""
