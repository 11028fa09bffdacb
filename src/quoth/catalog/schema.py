"""The catalog's tables, as the steps that lead to them: step n brings a library from version n to n + 1."""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    """
    create table meta (key text primary key, value text not null) without rowid;
    insert into meta values ('next_passage', '1'), ('generation', '0');

    create table sources (
        id integer primary key autoincrement,
        path blob not null unique,
        added real not null
    );
    create table files (
        id integer primary key autoincrement,
        source integer not null references sources(id) on delete cascade,
        path blob not null,
        size integer not null,
        mtime_ns integer not null,
        sha256 text not null,
        state text not null default 'read' check (state in ('read', 'failed', 'skipped')),
        reason text not null default '',
        hint text not null default '',
        unique (source, path)
    );
    create index files_sha256 on files(sha256);

    create table documents (
        id integer primary key autoincrement,
        file integer not null references files(id) on delete cascade,
        path blob not null,
        kind text not null,
        title text not null,
        marks blob not null,
        lines integer not null,
        language text not null,
        modified real not null,
        hidden text not null,
        notes text not null,
        length integer not null
    );
    create index documents_path on documents(path);
    create index documents_file on documents(file);

    -- a document's text, cut every 8,192 characters, so that a passage is read without the rest
    create table texts (
        document integer not null references documents(id) on delete cascade,
        number integer not null,
        text text not null,
        primary key (document, number)
    );

    create table passages (
        id integer primary key,
        document integer not null references documents(id) on delete cascade,
        start integer not null,
        "end" integer not null,
        context text not null,
        page integer,
        line integer,
        heading text,
        cells text
    );
    create index passages_document on passages(document);
    """,
    """
    alter table sources add column archives integer not null default 0;

    -- names what was encoded, so that the same passage is not encoded twice; null in older rows
    alter table passages add column hash integer;
    create index passages_hash on passages(hash) where hash is not null;

    create table jobs (
        id integer primary key autoincrement,
        command text not null,
        places text not null,
        options text not null,
        state text not null check (state in ('running', 'done', 'stopped', 'failed', 'cut off', 'resumed')),
        doing text not null default '',
        files integer not null default 0,
        of_files integer not null default 0,
        passages integer not null default 0,
        bytes integer not null default 0,
        of_bytes integer not null default 0,
        started real not null,
        beat real not null,
        ended real,
        cancel integer not null default 0,
        reason text not null default '',
        counts text not null default '{}'
    );
    create table job_failures (
        job integer not null references jobs(id) on delete cascade,
        path blob not null,
        reason text not null,
        hint text not null
    );
    create index job_failures_job on job_failures(job);

    -- keyed hashes of paths that were forgotten: a sync leaves them out, and nobody can read them back
    create table forgotten (path blob primary key) without rowid;
    """,
    # Which passages a document has, so that a filter reads a row a document and not one a passage. They follow
    # each other but for libraries that others wrote: then there are fewer than the first and the last span.
    """
    alter table documents add column first integer;
    alter table documents add column last integer;
    alter table documents add column passages integer not null default 0;
    update documents set (first, last, passages) =
        (select min(id), max(id), count(*) from passages where document = documents.id);
    drop index documents_path;
    create index documents_path on documents(path, kind, modified, first, last, passages);
    """,
    # Recipes by name, and the questions that a library is measured by: what they ask, and where the answer stands.
    # A span keeps its words and what stands around it, by which it is found again when the document changes.
    """
    create table recipes (name text primary key, added real not null, record text not null);

    create table golden (
        id integer primary key autoincrement,
        "set" text not null,
        key text not null,
        question text not null,
        none integer not null default 0,
        answers text not null default '[]',
        added real not null,
        unique ("set", key)
    );
    create table golden_spans (
        golden integer not null references golden(id) on delete cascade,
        path blob not null,
        start integer,
        "end" integer,
        text text not null default '',
        before text not null default '',
        after text not null default '',
        gain integer not null default 1
    );
    create index golden_spans_golden on golden_spans(golden);
    create index golden_spans_path on golden_spans(path);
    create trigger golden_spans_follow after update of path on documents when old.path <> new.path
    begin
        update golden_spans set path = new.path where path = old.path;
    end;

    create table runs (name text primary key, at real not null, header text not null, record text);
    create table run_outcomes (
        run text not null references runs(name) on delete cascade,
        record text not null
    );
    create index run_outcomes_run on run_outcomes(run);

    create table journal (
        id integer primary key autoincrement,
        at real not null,
        kind text not null check (kind in ('asked', 'shown', 'opened', 'rated', 'evaluated', 'promoted')),
        recipe text not null,
        record text not null
    );
    create index journal_at on journal(at);

    -- every comparison that was made, in order: what an honest verdict after many looks needs to know
    create table comparisons (
        id integer primary key autoincrement,
        at real not null,
        "set" text not null,
        first text not null,
        second text not null,
        record text not null
    );
    """,
    # Conversations, and who may come in. A thread without a title is called by its first question. Which documents a
    # message names stands beside it, so that it follows what moves and is found when one of them is forgotten.
    # Of secrets there are hashes only; `key` is a name in the form in which two of them are the same.
    """
    create table threads (
        id integer primary key autoincrement,
        person text not null,
        title text not null default '',
        created real not null,
        changed real not null
    );
    create index threads_person on threads(person, changed);
    create table messages (
        id integer primary key autoincrement,
        thread integer not null references threads(id) on delete cascade,
        at real not null,
        question text not null,
        asked text not null,
        record text not null
    );
    create index messages_thread on messages(thread);
    create table message_documents (
        path blob not null,
        message integer not null references messages(id) on delete cascade,
        primary key (path, message)
    ) without rowid;
    create index message_documents_message on message_documents(message);
    create trigger message_documents_follow after update of path on documents when old.path <> new.path
    begin
        update or replace message_documents set path = new.path where path = old.path;
    end;

    create table people (
        key text primary key,
        name text not null,
        role text not null check (role in ('reader', 'editor', 'owner')),
        password text not null,
        added real not null
    ) without rowid;
    create table sessions (
        secret blob primary key,
        person text not null references people(key) on delete cascade,
        begun real not null,
        used real not null
    ) without rowid;
    create index sessions_person on sessions(person);
    create table tokens (
        key text primary key,
        name text not null,
        scope text not null check (scope in ('ask', 'add', 'admin')),
        secret blob not null unique,
        added real not null,
        expires real,
        used real
    ) without rowid;
    """,
)
