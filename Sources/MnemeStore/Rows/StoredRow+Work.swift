package import Foundation

/// Rows of jobs, grants and the audit log.
extension StoredRow {
    /// A job.
    package func job() throws -> Job {
        guard let state = Job.State(rawValue: try value("state")) else {
            throw StoreError(.corrupt, "A job is in an unknown state. Run `mneme doctor`.")
        }
        var job = Job(
            try value("kind"),
            owner: try text("tenant").map { Owner(tenant: $0, user: try text("user") ?? "default") },
            arguments: try StoreCoding.decode([String: String].self, try value("arguments")),
            priority: try value("priority"), maximumAttempts: try value("maximum_attempts"),
            created: try date("created"), due: try date("due"))
        job.id = try value("id")
        job.state = state
        job.attempts = try value("attempts")
        job.started = try optionalDate("started")
        job.finished = try optionalDate("finished")
        job.worker = try text("worker")
        job.leaseEnd = try optionalDate("lease_end")
        job.message = try text("message")
        job.schedule = try text("schedule")
        return job
    }

    /// A schedule. One whose times cannot be read is an error, as its work would silently stop.
    package func schedule() throws -> JobSchedule {
        guard let cron = CronExpression(try value("cron")) else {
            throw StoreError(.corrupt, "A schedule's times cannot be read. Set it again.")
        }
        return JobSchedule(
            name: try value("name"), cron: cron,
            job: try StoreCoding.decode(Job.self, try value("job")), since: try date("last"))
    }

    /// A grant. Permissions that this version does not know are left out, and an unknown label is
    /// the lowest: what cannot be read gives nothing.
    package func grant(of owner: Owner) throws -> Grant {
        guard let grantee = Grantee(try value("grantee") as String) else {
            throw StoreError(.corrupt, "A grant is for nobody. Run `mneme doctor`.")
        }
        var grant = Grant(
            owner: owner, cube: try text("cube").map(CubeID.init(stored:)), grantee: grantee)
        grant.id = try value("id")
        grant.permissions = Set(
            (try value("permissions") as String).split(separator: ",").compactMap {
                Permission(rawValue: String($0))
            })
        grant.upTo = Sensitivity(rawValue: try value("up_to")) ?? .public
        grant.created = try date("created")
        grant.grantor = try value("grantor")
        grant.expires = try optionalDate("expires")
        return grant
    }

    /// A copy that left; nil if it is of a kind that this version does not know.
    package func export(of owner: Owner) throws -> VaultExport? {
        try VaultExport.Kind(rawValue: value("kind")).map {
            VaultExport(
                owner: owner, kind: $0, place: try value("place"), time: try date("time"),
                principal: try value("principal"), position: try value("position"))
        }
    }

    /// An entry of the audit log. An outcome of another version counts as a failure.
    package func auditEntry() throws -> AuditEntry {
        var entry = AuditEntry(
            position: try value("position"), time: try date("time"),
            principal: try value("principal"), operation: try value("operation"),
            owner: try text("tenant").map { Owner(tenant: $0, user: try text("user") ?? "") },
            outcome: AuditEntry.Outcome(rawValue: try value("outcome")) ?? .failed)
        entry.cubes = PackedIDs.ids(in: try bytes("cubes") ?? Data())
        entry.count = try value("count")
        entry.reason = try text("reason")
        entry.request = try text("request")
        entry.detail = try text("detail")
        entry.journalFirst = try integer("journal_first")
        entry.journalLast = try integer("journal_last")
        entry.digest = try bytes("digest")
        entry.hash = try value("hash")
        return entry
    }

    /// A signature of the audit log.
    package func auditCheckpoint() throws -> AuditCheckpoint {
        AuditCheckpoint(
            position: try value("position"), hash: try value("hash"), time: try date("time"),
            key: try value("key"), signature: try value("signature"))
    }

    /// Where a shortened audit log begins.
    package func auditBase() throws -> AuditBase {
        AuditBase(
            position: try value("position"), hash: try value("hash"), journal: try value("journal"),
            written: try value("written"), digest: try value("digest"), time: try value("time"),
            key: try value("key"), signature: try value("signature"))
    }
}

extension AuditEntry {
    /// Its cubes as they are stored; nil for none.
    package var packedCubes: Data? { cubes.isEmpty ? nil : PackedIDs.data(of: cubes) }
}
