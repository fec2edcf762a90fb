import MnemeIndex
public import MnemeStore

/// Feedback on a memory: somebody's word on whether it is right.
public enum Feedback: String, Sendable, Codable, CaseIterable {
    /// The memory is right.
    case right
    /// The memory never was right.
    case wrong
    /// The memory was right, and is outdated.
    case outdated
}

/// A memory's way through its life, as far as somebody decides it.
extension MemoryOS {
    /// Makes a former version the present one, as a version of its own: nothing is lost, and that
    /// can be taken back, too.
    ///
    /// - Parameters:
    ///   - id: the memory.
    ///   - version: which one, as `history` counts them.
    ///   - owner: whose memory it is.
    ///   - caller: with whose rights.
    /// - Throws: `StoreError` if there is no such version, or the memory is frozen.
    public func rollback(_ id: CubeID, to version: Int, owner: Owner, by caller: Caller = .local)
        async throws
        -> MemCube
    {
        let cube = try await run { [self] in
            guard let present = try store.cube(id, owner: owner, asOf: nil, by: caller) else {
                throw StoreError(.notFound, "There is no memory \(id) in this scope.")
            }
            let versions = try store.history(id, owner: owner, by: caller)
            guard var former = versions.last(where: { $0.snapshot?.version == version })?.snapshot
            else {
                throw StoreError(
                    .notFound,
                    "Memory \(id) has no version \(version); there are 1 to \(present.version).")
            }
            guard version != present.version else { return present }
            former.version = present.version
            former.scope = present.scope
            if former.text != present.text { former.vouchedBy = nil }
            let (analysis, hash) = try describe(&former)
            return try store.commit(
                [.rollback(former, analysis: analysis, contentHash: hash)], owner: owner, by: caller
            )[0]
        }
        scheduleEmbedding()
        return cube
    }

    /// Puts another text in a memory's place. The one that was wrong leaves recall, stays in the
    /// store, and is linked.
    ///
    /// - Returns: the new memory.
    public func correct(_ id: CubeID, with text: String, owner: Owner, by caller: Caller = .local)
        async throws
        -> MemCube
    {
        try MemoryInput(text).check()
        let cube = try await run { [self] in
            guard let old = try store.cube(id, owner: owner, asOf: nil, by: caller) else {
                throw StoreError(.notFound, "There is no memory \(id) in this scope.")
            }
            var input = MemoryInput(
                text, speaker: old.speaker, eventTime: old.eventTime, session: old.scope.session)
            input.utcOffset = old.utcOffset
            input.agent = old.scope.agent
            input.type = old.type
            input.tags = old.tags
            input.metadata = old.metadata
            input.sensitivity = old.sensitivity
            input.source = "correction"
            input.reference = old.id.description
            var policy = try store.policy(of: owner.tenant)
            policy.keepsOriginals = false
            // A long text is cut: its parts together stand in for what was wrong, the first of them
            // by name.
            var drafts = drafts(of: input, scope: old.scope, by: caller, policy: policy)
            guard !drafts.isEmpty else { throw InputError("There is no text.") }
            var mutations: [Mutation] = []
            for i in drafts.indices {
                drafts[i].cube.priority = old.priority
                drafts[i].cube.expires = old.expires
                let link = CubeLink(
                    source: drafts[i].cube.id, target: id, kind: CubeLink.corrects,
                    time: caller.time)
                mutations.append(
                    .add(
                        drafts[i].cube, analysis: drafts[i].analysis.encoded,
                        contentHash: drafts[i].contentHash,
                        links: [link]))
            }
            mutations.append(.merge(id, into: drafts[0].cube.id))
            return try store.commit(mutations, owner: owner, by: caller)[0]
        }
        scheduleEmbedding()
        return cube
    }

    /// Takes to heart what somebody says of a memory: right ones are confirmed, wrong ones leave
    /// recall, outdated ones stand behind those that hold.
    public func recordFeedback(_ id: CubeID, _ feedback: Feedback, owner: Owner, by caller: Caller = .local)
        async throws
        -> MemCube
    {
        let mutation: Mutation =
            switch feedback {
            case .right: .confirm(id)
            case .wrong: .archive(id)
            case .outdated: .invalidate(id, at: caller.time)
            }
        return try await run { [store] in try store.commit([mutation], owner: owner, by: caller)[0]
        }
    }

    /// Makes a changed or imported memory ready to be written: checks its bounds, takes out what
    /// the policy does not keep, screens it, and finds anew what is derived from its text.
    ///
    /// Every way in passes here or ``record(_:scope:by:idempotencyKey:isBulk:)``.
    ///
    /// - Throws: `InputError` for what no memory holds, see `MemoryLimits`.
    func describe(_ cube: inout MemCube) throws -> (analysis: [UInt8], contentHash: [UInt8]) {
        try MemoryLimits.check(text: cube.text)
        try MemoryLimits.check(tags: cube.tags, metadata: cube.metadata)
        let policy = try store.policy(of: cube.scope.tenant)
        Self.redact(&cube, policy)
        screen(&cube, policy)
        let analysis = enrich(&cube)
        var content = MemoryInput(
            cube.text, speaker: cube.speaker, eventTime: cube.eventTime, session: cube.scope.session
        )
        content.reference = cube.provenance.reference
        return (
            analysis.encoded,
            Self.contentHash(content, part: cube.provenance.part ?? 0, scope: cube.scope)
        )
    }
}
