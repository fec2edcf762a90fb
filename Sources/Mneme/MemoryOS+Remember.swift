import Crypto
import Foundation
import MnemeIndex
public import MnemeStore
import NIOConcurrencyHelpers
import Tracing

extension MemoryOS {
    /// The longest text of one input, in bytes.
    public static let maximumTextBytes = MemoryLimits.textBytes
    /// The longest tags and metadata of one input, in bytes: each part of a long text carries them.
    public static let maximumMetadataBytes = MemoryLimits.labelBytes

    /// Records inputs in one transaction and returns when they are on disk.
    ///
    /// Long texts become several memories, exact slices of the original. The same text of the same
    /// speaker, session and time is recorded once. Calls that arrive together share one wait for
    /// the disk.
    ///
    /// - Throws: `InputError` for empty or oversized input, `StoreError`.
    /// - Complexity: no model call; less than a millisecond a message, and one wait for the disk.
    @discardableResult
    public func remember(
        _ inputs: [MemoryInput], scope: Scope, by caller: Caller = .local,
        idempotencyKey: String? = nil
    ) async throws -> [Remembered] {
        let result = try await record(
            inputs, scope: scope, by: caller, idempotencyKey: idempotencyKey)
        scheduleEmbedding()
        return result
    }

    /// As ``remember(_:scope:by:idempotencyKey:)``, without starting to embed: for imports and
    /// benchmarks, which embed in large batches afterwards.
    ///
    /// - Parameter isBulk: near duplicates are looked for only while the owner has few enough
    ///   memories.
    package func record(
        _ inputs: [MemoryInput], scope: Scope, by caller: Caller, idempotencyKey: String? = nil,
        isBulk: Bool = false
    ) async throws -> [Remembered] {
        try await withSpan("remember") { span in
            span.attributes["mneme.messages"] = inputs.count
            var write = try await prepare(inputs, scope: scope, by: caller, isBulk: isBulk)
            write.idempotencyKey = idempotencyKey
            return try await self.write(write)
        }
    }

    /// The first half of ``record(_:scope:by:idempotencyKey:isBulk:)``: analyses inputs. An import
    /// does so with what it has read while what it read before is written.
    func prepare(
        _ inputs: [MemoryInput], scope: Scope, by caller: Caller, isBulk: Bool
    ) async throws -> PendingWrite {
        try Task.checkCancellation()
        for input in inputs { try input.check() }
        let policy = try await run { [store] in try store.policy(of: scope.tenant) }
        let drafts = try await withSpan("remember.analyse") { _ in
            try await self.drafts(of: inputs, scope: scope, by: caller, policy: policy)
        }
        return PendingWrite(
            drafts: drafts, owner: scope.owner, caller: caller, isBulk: isBulk, policy: policy)
    }

    /// The second half: writes what was prepared, and returns when it is on disk.
    func write(_ write: PendingWrite) async throws -> [Remembered] {
        guard !write.drafts.isEmpty else { return [] }
        return try await withSpan("remember.commit") { _ in
            try await writes.run(write) { [self] in commit($0) }
        }
    }

    /// Analyses inputs: a few on the caller's thread, many on all cores.
    private func drafts(
        of inputs: [MemoryInput], scope: Scope, by caller: Caller, policy: MemoryPolicy
    ) async throws
        -> [PreparedDraft]
    {
        if inputs.reduce(0, { $0 + $1.text.utf8.count }) < 16_384 {
            return inputs.flatMap { drafts(of: $0, scope: scope, by: caller, policy: policy) }
        }
        return try await run { [self] in
            let chunkSize = 16
            let chunks = (inputs.count + chunkSize - 1) / chunkSize
            let parts = NIOLockedValueBox([[PreparedDraft]](repeating: [], count: chunks))
            DispatchQueue.concurrentPerform(iterations: chunks) { part in
                let end = min(inputs.count, (part + 1) * chunkSize)
                let made = inputs[part * chunkSize..<end].flatMap {
                    drafts(of: $0, scope: scope, by: caller, policy: policy)
                }
                parts.withLockedValue { $0[part] = made }
            }
            return parts.withLockedValue { Array($0.joined()) }
        }
    }

    /// The drafts of one input: redacted, extracted, screened and analysed.
    ///
    /// Where the policy keeps originals, the text as it was comes first, archived and labelled
    /// `restricted`, and each draft is linked to it: erasing the draft erases the original.
    func drafts(of input: MemoryInput, scope: Scope, by caller: Caller, policy: MemoryPolicy)
        -> [PreparedDraft]
    {
        var input = input
        let original = redact(&input, policy)
        let drafts = plainDrafts(of: input, scope: scope, by: caller, policy: policy)
        guard var original, let first = drafts.first else { return drafts }
        // What was taken out is kept aside, where few see it, and goes with what was made of it.
        (original.source, original.reference, original.sensitivity, original.session) = (
            Provenance.redaction, first.cube.id.description, .restricted, nil
        )
        var archive = MemoryPolicy(protection: .off)
        archive.redaction = []
        var archiveScope = scope
        archiveScope.session = nil
        let originals = plainDrafts(
            of: original, scope: archiveScope, by: caller, policy: archive
        ).map { draft in
            var draft = draft
            draft.cube.state = .archived
            return draft
        }
        return originals
            + drafts.map { draft in
                var draft = draft
                draft.links += originals.map {
                    CubeLink(
                        source: draft.cube.id, target: $0.cube.id, kind: CubeLink.derivedFrom,
                        time: caller.time)
                }
                return draft
            }
    }

    /// The drafts of an input whose text is settled.
    private func plainDrafts(
        of input: MemoryInput, scope: Scope, by caller: Caller, policy: MemoryPolicy
    ) -> [PreparedDraft] {
        let content = ContentHash(input, scope: scope)
        let context = ExtractionContext(scope: scope, time: caller.time)
        var stray: Set<Int> = []
        let drafts = pieces(of: input, policy).reduce(into: [Draft]()) { drafts, piece in
            var part = input
            part.text = String(piece.text)
            let first = drafts.count
            drafts += recipe.extractor.drafts(of: part, in: context).map { draft in
                var draft = draft
                draft.source = draft.source.map { $0 + first }
                return draft
            }
            if piece.isStray { stray.formUnion(first..<drafts.count) }
        }
        return drafts.enumerated().map { number, draft in
            var cube = draft.cube
            if !stray.isEmpty, draft.source == nil {
                (cube.provenance.part, cube.provenance.parts) = (number, drafts.count)
            }
            // Who vouches, and what was taken out, is not a recipe's to say.
            cube.vouchedBy = input.isTrusted ? caller.principal.name : nil
            if cube.provenance.isOriginal { cube.provenance.source = input.source }
            var links: [CubeLink] = []
            if let source = draft.source, drafts.indices.contains(source), source < number {
                cube.provenance.source = Provenance.recipe
                links.append(
                    CubeLink(
                        source: cube.id, target: drafts[source].cube.id,
                        kind: CubeLink.derivedFrom, time: caller.time))
            }
            screen(&cube, policy, isStray: stray.contains(number))
            return PreparedDraft(
                cube: cube,
                analysis: draft.words.map { analysis(of: cube, words: $0) } ?? enrich(&cube),
                contentHash: content.of(part: number), links: links)
        }
    }

    /// Names the drafts of one input, by their order: an extractor may make several of one part of
    /// a text, or say nothing of parts. What they have in common is hashed once.
    private struct ContentHash {
        /// All that the parts have in common.
        private var common = SHA256()

        /// - Parameter scope: gives session and agent where the input names none.
        init(_ input: MemoryInput, scope: Scope) {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(input.text.utf8.count + 128)
            Self.add(input.text, to: &bytes)
            Self.add(input.speaker, to: &bytes)
            Self.add(input.session ?? scope.session, to: &bytes)
            Self.add(input.agent ?? scope.agent, to: &bytes)
            Self.add(input.eventTime.map { String($0.timeIntervalSince1970) }, to: &bytes)
            Self.add(input.reference, to: &bytes)
            common.update(data: bytes)
        }

        /// The hash of one part, 16 bytes: enough that two texts of one store do not meet by
        /// chance.
        func of(part: Int) -> [UInt8] {
            var hash = common
            var bytes: [UInt8] = []
            Self.add(String(part), to: &bytes)
            hash.update(data: bytes)
            return Array(hash.finalize().prefix(16))
        }

        /// Fields are told apart by a NUL, which none of them holds.
        private static func add(_ field: String?, to bytes: inout [UInt8]) {
            if let field { bytes += field.utf8 }
            bytes.append(0)
        }
    }

    /// Fills in anew what is derived from a memory's text, and returns its index terms.
    func enrich(_ cube: inout MemCube) -> Analysis {
        let words = TextAnalyzer.words(cube.text)
        recipe.extractor.enrich(&cube, words: words)
        return analysis(of: cube, words: words)
    }

    /// Index terms of a memory whose words are cut already.
    private func analysis(of cube: MemCube, words: [String]) -> Analysis {
        Analysis(
            text: cube.text, words: words, entities: cube.entities, speaker: cube.speaker,
            eventTime: cube.localTime,
            analyzer: analyzer)
    }

    /// Names one part of one saying: the same words again at another time are another memory.
    static func contentHash(_ input: MemoryInput, part: Int, scope: Scope) -> [UInt8] {
        ContentHash(input, scope: scope).of(part: part)
    }
}
