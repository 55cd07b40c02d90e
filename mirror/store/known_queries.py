"""Questions about a mirror that many people ask, as SQL for a program that shows tables.

Each reads what an index holds, the conversations, or a bounded number of rows, so that it is quick at 250,000
messages. ``chatmirror_match`` and ``chatmirror_cjk`` are functions of ``mirror.browse``. A plus before a column keeps
SQLite from an index that would make the query slow.
"""

from __future__ import annotations

from dataclasses import dataclass

# Rows a query shows; by judgement: what a person looks through.
SHOWN = 200
# Months that are counted; by judgement: three years, whose messages are counted in a fraction of a second.
MONTHS = 36
# Pictures, cited pages and conversations with branches of which the first SHOWN are found; by judgement: among so many
# are those that are looked for, and to read them takes a fraction of a second.
LOOKED_AT = 1_000
# Messages with the words that are put in order of time; by judgement: only of the commonest words are there more.
MATCHES = 10_000


@dataclass(frozen=True, slots=True)
class KnownQuery:
    """A query, which is its name in an address. ``tables``: whose rows it reads."""

    name: str
    title: str
    description: str
    tables: tuple[str, ...]
    sql: str


KNOWN_QUERIES = (
    KnownQuery(
        "longest_conversations",
        "Longest conversations",
        "Conversations with the most messages.",
        ("conversations",),
        f"""
select title, message_count, created_at, updated_at, model, url, id as conversation_id
from conversations order by message_count desc limit {SHOWN}""",
    ),
    KnownQuery(
        "messages_each_month",
        "Messages a month",
        f"How many messages you and the assistant wrote in each of the last {MONTHS} months (UTC), newest first.",
        ("messages",),
        f"""
with recursive months (month) as (
  select substr(max(created_at), 1, 7) from messages
  union all
  select (select substr(max(created_at), 1, 7) from messages where created_at < month) from months where month > ''
  limit {MONTHS}
)
select month,
  (select count(*) from messages where created_at > month and created_at < month || '~' and +role = 'user') as by_you,
  (select count(*) from messages where created_at > month and created_at < month || '~' and +role = 'assistant')
  as by_assistant
from months where month > ''""",
    ),
    KnownQuery(
        "most_used_models",
        "Most used models",
        "How many messages each model wrote, and of how many conversations it is the model.",
        ("messages", "conversations"),
        """
select used.model, used.messages, ifnull(chats.conversations, 0) as conversations
from (select model, count(*) as messages from messages where model is not null group by model) as used
left join (select model, count(*) as conversations from conversations group by model) as chats using (model)
order by used.messages desc""",
    ),
    KnownQuery(
        "most_edited_prompts",
        "Prompts that were edited most",
        "Prompts with the most versions, each with its newest version;"
        f" among the {LOOKED_AT:,} conversations that have the most messages on other branches.",
        ("messages", "conversations"),
        f"""
with branched as (
  select conversation_id from messages where position is null
  group by conversation_id order by count(*) desc limit {LOOKED_AT}
)
select c.title, count(*) as versions, substr(m.text, 1, 300) as newest_version, max(m.created_at) as last_edited_at,
  m.conversation_id
from branched cross join messages m on m.conversation_id = branched.conversation_id
join conversations c on c.id = m.conversation_id
where m.role = 'user' and not m.is_hidden
group by m.conversation_id, m.parent_id having versions > 1
order by versions desc, last_edited_at desc limit {SHOWN}""",
    ),
    KnownQuery(
        "conversations_with_pictures",
        "Conversations with pictures",
        f"Conversations that show the newest pictures, with their number; among the {LOOKED_AT:,} newest pictures.",
        ("files", "attachments", "messages", "conversations"),
        f"""
with newest as (
  select id, created_at from files where kind = 'image' order by created_at desc limit {LOOKED_AT}
)
select c.title, count(distinct newest.id) as pictures, max(newest.created_at) as newest_at, c.url, m.conversation_id
from newest join attachments a on a.file_id = newest.id join messages m on m.rowid = a.message_rowid
join conversations c on c.id = m.conversation_id
group by m.conversation_id order by newest_at desc limit {SHOWN}""",
    ),
    KnownQuery(
        "sources_of_answers",
        "Sources that answers gave most often",
        f"Pages that answers cited, with how often they did; among the {LOOKED_AT:,} addresses that stand in the most"
        " answers.",
        ("links",),
        f"""
with most as (select url from links group by url order by count(*) desc limit {LOOKED_AT})
select l.url, max(l.title) as title, count(*) as cited from most join links l on l.url = most.url
where l.kind = 'citation' group by l.url order by cited desc, l.url limit {SHOWN}""",
    ),
    KnownQuery(
        "deleted_but_kept",
        "Deleted at the service, kept here",
        "Conversations whose deletion at the service was proven, the last one first.",
        ("conversations",),
        f"""
select title, deleted_at, created_at, updated_at, message_count, id as conversation_id
from conversations where deleted_at is not null order by deleted_at desc limit {SHOWN}""",
    ),
    KnownQuery(
        "stored_in_part",
        "Stored only in part, and why",
        "Conversations of which the service is known to hold more than is stored here.",
        ("conversations",),
        f"""
select title, incomplete_reason, updated_at, message_count, url, id as conversation_id
from conversations where is_complete = 0 order by +updated_at desc limit {SHOWN}""",
    ),
    KnownQuery(
        "conversations_by_project",
        "Conversations by project",
        "How many conversations and messages each project has, and when it was last used.",
        ("conversations", "projects"),
        """
select p.name as project, count(*) as conversations, sum(c.message_count) as messages,
  min(c.created_at) as first_at, max(c.updated_at) as last_at, c.project_id
from conversations c left join projects p on p.id = c.project_id
where c.project_id is not null group by c.project_id order by last_at desc""",
    ),
    KnownQuery(
        "messages_with_words",
        "Messages with words",
        'The newest messages that hold all of these words, typed as in the search: "a phrase", begin*, -without.'
        f" Of words in more than {MATCHES:,} messages, some of these. The search page orders by how well they match.",
        ("messages", "conversations"),
        f"""
with found as (
  select * from (
    select rowid from messages_fts where messages_fts match chatmirror_match(:words)
    and (chatmirror_cjk(:words) = '""' or rowid in (
      select rowid from messages_cjk where messages_cjk match chatmirror_cjk(:words)
    )) limit {MATCHES}
  ) union all select * from (
    select rowid from messages_cjk where messages_cjk match chatmirror_cjk(:words)
    and chatmirror_match(:words) = '""' limit {MATCHES}
  )
)
select c.title, substr(m.text, 1, 300) as beginning, m.role, m.created_at, m.conversation_id, m.rowid
from found join messages m on m.rowid = found.rowid join conversations c on c.id = m.conversation_id
order by m.created_at desc limit {SHOWN}""",
    ),
)
