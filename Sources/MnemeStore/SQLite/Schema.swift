import Foundation
import GRDB

/// Tables of the SQLite store. Migrations are appended, never edited.
///
/// ```
/// owner ─┬─ session          who the memories belong to; conversations and their next place
///        ├─ cube             the state: one row a memory
///        │    ├─ vector      derived: one embedding
///        │    ├─ claim       what a cube says of which only one thing holds at a time
///        │    └─ pending     work that is left: cubes without a vector
///        ├─ link             typed edges between cubes
///        ├─ journal          every change, with the cube after it
///        ├─ access_grant     who may reach whose memories besides their owner
///        └─ idempotency      answers to requests that carried a key
/// job, schedule               work that is done behind the answers
/// audit, audit_checkpoint     every read, write and refusal, chained; signatures of it
/// audit_base                  where the log begins, if its first part was taken away
/// ```
enum Schema {
    /// Marks the file as ours (`PRAGMA application_id`): "MNEM".
    static let applicationID: Int32 = 0x4d4e_454d

    /// Every step from an empty file to today's tables. A file is brought up to date when it is
    /// opened; one with a step that is not here was written by a newer version and is refused.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        // The tables of the first version. All are STRICT: a column holds its type or nothing.
        // `cube.seq` is the order of first recording, never used twice; `position` the journal
        // entry that the row equals; `place` its place in the session, from 0; `header` all that is
        // read only with the whole cube, as JSON; `analysis` the index terms, and `analyzer` the
        // version that made them.
        // `vector.version` is that of the text which was embedded: an older one is still searched,
        // and `pending` has the cube meanwhile. `counter` counts vectors, as `journal.position`
        // counts changes.
        // `link` and `journal` name cubes by id, so that they outlive them.
        migrator.registerMigration("1") { db in
            try db.execute(
                sql: """
                    PRAGMA application_id = \(applicationID);
                    CREATE TABLE owner (
                        id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, user TEXT NOT NULL, UNIQUE (tenant, user)
                    ) STRICT;
                    CREATE TABLE session (
                        id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES owner(id), name TEXT NOT NULL,
                        next_place INTEGER NOT NULL DEFAULT 0, UNIQUE (owner, name)
                    ) STRICT;
                    CREATE TABLE cube (
                        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner INTEGER NOT NULL REFERENCES owner(id),
                        session INTEGER REFERENCES session(id), place INTEGER NOT NULL DEFAULT 0, agent TEXT, type TEXT NOT NULL,
                        state TEXT NOT NULL, version INTEGER NOT NULL, text TEXT NOT NULL, speaker TEXT, event_time REAL NOT NULL,
                        recorded_time REAL NOT NULL, updated_time REAL NOT NULL, expires REAL, priority REAL NOT NULL,
                        header TEXT NOT NULL, content_hash BLOB NOT NULL, position INTEGER NOT NULL,
                        analysis BLOB NOT NULL, analyzer TEXT NOT NULL
                    ) STRICT;
                    CREATE INDEX cube_owner_position ON cube (owner, position);
                    CREATE INDEX cube_owner_event ON cube (owner, event_time);
                    CREATE INDEX cube_content ON cube (owner, content_hash);
                    CREATE TABLE vector (
                        cube INTEGER PRIMARY KEY REFERENCES cube(seq) ON DELETE CASCADE, embedder TEXT NOT NULL, version INTEGER NOT NULL,
                        position INTEGER NOT NULL, data BLOB NOT NULL
                    ) STRICT;
                    CREATE INDEX vector_position ON vector (position);
                    CREATE INDEX vector_embedder ON vector (embedder);
                    CREATE TABLE pending (cube INTEGER PRIMARY KEY REFERENCES cube(seq) ON DELETE CASCADE) STRICT;
                    CREATE TABLE link (
                        owner INTEGER NOT NULL REFERENCES owner(id), source TEXT NOT NULL, target TEXT NOT NULL, kind TEXT NOT NULL,
                        time REAL NOT NULL, PRIMARY KEY (source, target, kind)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX link_target ON link (target);
                    CREATE TABLE journal (
                        position INTEGER PRIMARY KEY AUTOINCREMENT, owner INTEGER NOT NULL REFERENCES owner(id), time REAL NOT NULL,
                        operation TEXT NOT NULL, cube TEXT NOT NULL, version INTEGER NOT NULL, principal TEXT NOT NULL, reason TEXT,
                        payload TEXT
                    ) STRICT;
                    CREATE INDEX journal_cube ON journal (cube);
                    CREATE INDEX journal_owner ON journal (owner, position);
                    CREATE TABLE idempotency (
                        owner INTEGER NOT NULL REFERENCES owner(id), key TEXT NOT NULL, request BLOB NOT NULL, cubes TEXT NOT NULL,
                        time REAL NOT NULL, PRIMARY KEY (owner, key)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
                    INSERT INTO counter VALUES ('vector', 0);
                    """)
        }
        // How often a cube was an answer, and when last: beside the journal.
        migrator.registerMigration("2") { db in
            try db.execute(
                sql:
                    "ALTER TABLE cube ADD COLUMN uses INTEGER NOT NULL DEFAULT 0; ALTER TABLE cube ADD COLUMN last_used REAL"
            )
        }
        migrator.registerMigration("3") { db in
            // The block that an activation cube stands for, or the adapter (`Payload.key`); such cubes have no vector and no place
            // in indexes.
            try db.execute(
                sql:
                    "ALTER TABLE cube ADD COLUMN activation TEXT; CREATE INDEX cube_activation ON cube (owner) WHERE activation IS NOT NULL"
            )
        }
        // Labels, grants and the audit log. `journal.salt` and `digest` bind the journal to the
        // log: erasing takes the salt, after which the digest says nothing of the text and still
        // shows that an entry is the one that was written. `audit.cubes` are ids of 16 bytes side
        // by side.
        migrator.registerMigration("4") { db in
            try db.execute(
                sql: """
                    ALTER TABLE cube ADD COLUMN sensitivity INTEGER NOT NULL DEFAULT 1;
                    CREATE TABLE access_grant (
                        id INTEGER PRIMARY KEY AUTOINCREMENT, owner INTEGER NOT NULL REFERENCES owner(id), cube TEXT, grantee TEXT NOT NULL,
                        permissions TEXT NOT NULL, up_to INTEGER NOT NULL, created REAL NOT NULL, grantor TEXT NOT NULL, expires REAL
                    ) STRICT;
                    CREATE INDEX access_grant_owner ON access_grant (owner, grantee);
                    ALTER TABLE journal ADD COLUMN salt BLOB;
                    ALTER TABLE journal ADD COLUMN digest BLOB;
                    CREATE TABLE audit (
                        position INTEGER PRIMARY KEY, time REAL NOT NULL, principal TEXT NOT NULL, operation TEXT NOT NULL, tenant TEXT, user TEXT,
                        outcome TEXT NOT NULL, cubes BLOB, count INTEGER NOT NULL, reason TEXT, request TEXT, detail TEXT,
                        journal_first INTEGER, journal_last INTEGER, digest BLOB, hash BLOB NOT NULL
                    ) STRICT;
                    CREATE TABLE audit_checkpoint (
                        position INTEGER NOT NULL, hash BLOB NOT NULL, time REAL NOT NULL, key BLOB NOT NULL, signature BLOB NOT NULL,
                        PRIMARY KEY (position, key)
                    ) STRICT, WITHOUT ROWID;
                    """)
        }
        // Claims: `key` is subject and attribute, of which one value holds at a time.
        // `journal.target` finds the entries of edges by both ends when one is erased.
        migrator.registerMigration("5") { db in
            try db.execute(
                sql: """
                    ALTER TABLE cube ADD COLUMN valid_until REAL;
                    CREATE TABLE claim (
                        owner INTEGER NOT NULL REFERENCES owner(id), key TEXT NOT NULL, cube INTEGER NOT NULL REFERENCES cube(seq) ON DELETE CASCADE,
                        subject TEXT NOT NULL, attribute TEXT NOT NULL, value TEXT NOT NULL, denied INTEGER NOT NULL, PRIMARY KEY (owner, key, cube)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX claim_cube ON claim (cube);
                    ALTER TABLE journal ADD COLUMN target TEXT;
                    UPDATE journal SET target = payload ->> '$.target' WHERE operation IN ('link', 'unlink') AND payload IS NOT NULL;
                    CREATE INDEX journal_target ON journal (target) WHERE target IS NOT NULL;
                    """)
        }
        // Jobs: `lease_end` is when another worker may take a job that runs. A schedule's `job` is
        // a whole job as JSON, `last` the time up to which it has asked.
        migrator.registerMigration("6") { db in
            try db.execute(
                sql: """
                    CREATE TABLE job (
                        id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, tenant TEXT, user TEXT, arguments TEXT NOT NULL, priority INTEGER NOT NULL,
                        state TEXT NOT NULL, attempts INTEGER NOT NULL, maximum_attempts INTEGER NOT NULL, created REAL NOT NULL, due REAL NOT NULL,
                        started REAL, finished REAL, worker TEXT, lease_end REAL, message TEXT, schedule TEXT
                    ) STRICT;
                    CREATE INDEX job_state ON job (state, due);
                    CREATE TABLE schedule (name TEXT PRIMARY KEY, cron TEXT NOT NULL, job TEXT NOT NULL, last REAL NOT NULL) STRICT, WITHOUT ROWID;
                    """)
        }
        // The policy for all has the empty name, which no tenant has.
        migrator.registerMigration("7") { db in
            try db.execute(
                sql:
                    "CREATE TABLE policy (tenant TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID"
            )
        }
        migrator.registerMigration("8") { db in
            // What stands in place of audit entries that were taken away: where the
            // rest begins, and what the journal was up to there.
            try db.execute(
                sql: """
                    CREATE TABLE audit_base (
                        position INTEGER PRIMARY KEY, hash BLOB NOT NULL, journal INTEGER NOT NULL, written INTEGER NOT NULL, digest BLOB NOT NULL,
                        time REAL NOT NULL, key BLOB NOT NULL, signature BLOB NOT NULL
                    ) STRICT
                    """)
        }
        // How far work that goes over all cubes of an owner has come, by `cube.seq`.
        migrator.registerMigration("9") { db in
            try db.execute(
                sql: """
                    CREATE TABLE progress (
                        owner INTEGER NOT NULL REFERENCES owner(id), work TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (owner, work)
                    ) STRICT, WITHOUT ROWID
                    """)
        }
        // Copies that left, so that erasing reaches them. `position` is that of the journal up to
        // which erasures are in the copy.
        migrator.registerMigration("10") { db in
            try db.execute(
                sql: """
                    CREATE TABLE export (
                        owner INTEGER NOT NULL REFERENCES owner(id), kind TEXT NOT NULL, place TEXT NOT NULL, time REAL NOT NULL, principal TEXT NOT NULL,
                        position INTEGER NOT NULL, PRIMARY KEY (owner, kind, place)
                    ) STRICT, WITHOUT ROWID
                    """)
        }
        // An index of one column keeps its rows by `seq`: an owner's memories in the order in which
        // they were remembered, of which a list reads no more than it shows.
        migrator.registerMigration("11") { db in
            try db.execute(sql: "CREATE INDEX cube_owner ON cube (owner)")
        }
        migrator.registerMigration("12") { db in try Tally.create(db) }
        // Erasing a cube takes the grants of it along: without an index each reads all grants.
        migrator.registerMigration("13") { db in
            try db.execute(
                sql: "CREATE INDEX access_grant_cube ON access_grant (cube) WHERE cube IS NOT NULL")
        }
        // What is quarantined teaches the guard: few memories, asked for with each that shows a sign.
        migrator.registerMigration("14") { db in
            try db.execute(
                sql: "CREATE INDEX cube_quarantined ON cube (owner) WHERE state = 'quarantined'")
        }
        // What was said is looked for in its session: sessions are numbered as they come, so that new
        // entries stand side by side. By the hash alone each changed another page.
        migrator.registerMigration("15") { db in
            try db.execute(
                sql: """
                    DROP INDEX cube_content;
                    CREATE INDEX cube_content ON cube (owner, session, content_hash);
                    """)
        }
        return migrator
    }
}
