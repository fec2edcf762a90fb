import Crypto
public import Foundation
import MnemeIndex
public import MnemeStore
import NIOConcurrencyHelpers
import Tracing

/// Something to remember: a message, a note, a part of a document.
public struct MemoryInput: Sendable, Codable {
    /// The text, kept exactly.
    public var text: String
    /// Who said it.
    public var speaker: String?
    /// When it was said or happened; nil means now.
    public var eventTime: Date?
    /// Seconds by which the speaker's clock was ahead of UTC; nil takes UTC for it.
    public var utcOffset: Int?
    /// The conversation; neighbours in it are read together.
    public var session: String?
    /// The agent that the memory belongs to.
    public var agent: String?
    /// nil lets rules decide.
    public var type: MemoryType?
    /// Words to filter by.
    public var tags: [String]
    /// Values to keep with it.
    public var metadata: [String: String]
    /// When it stops being recalled; nil means never.
    public var expires: Date?
    /// How far it may go.
    public var sensitivity = Sensitivity.internal
    /// Whether the caller vouches for a text that reads like an instruction to a model; takes the permission `share`.
    public var isTrusted = false
    /// Importance, by the caller's own scale; not used by recall yet.
    public var priority: Double
    /// Such as `message`, `text` or `file`.
    public var source: String
    /// Where in the source, such as a message id.
    public var reference: String?

    /// A text, and who said it when and where.
    public init(_ text: String, speaker: String? = nil, eventTime: Date? = nil, session: String? = nil) {
        self.text = text
        self.speaker = speaker
        self.eventTime = eventTime
        self.session = session
        tags = []
        metadata = [:]
        priority = 0
        source = "text"
    }
}

extension MemoryInput {
    /// - Throws: ``InputError`` if the input cannot be remembered, whatever else is stored.
    func check() throws {
        guard text.contains(where: { !$0.isWhitespace }) else { throw InputError("There is no text to remember.") }
        guard text.utf8.count <= MemoryOS.maximumTextBytes else {
            throw InputError(
                "A text of \(text.utf8.count) bytes is too long; at most \(MemoryOS.maximumTextBytes) are taken. Import it as a file."
            )
        }
        let besides =
            tags.reduce(0) { $0 + $1.utf8.count } + metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard besides <= MemoryOS.maximumMetadataBytes else {
            throw InputError(
                "Tags and metadata of \(besides) bytes are too long; at most \(MemoryOS.maximumMetadataBytes) are taken."
            )
        }
        guard [text, speaker, session, agent].allSatisfy({ !($0?.utf8.contains(0) ?? false) }) else {
            throw InputError("The text or a name holds a NUL character. Remove it; is this a binary file?")
        }
    }
}

/// What became of a ``MemoryInput``.
public struct Remembered: Sendable, Codable {
    /// The memory's id.
    public var id: CubeID
    /// Its kind, given or found.
    public var type: MemoryType
    /// Whether the very same memory was there already; nothing was written then.
    public var duplicate: Bool
    /// An earlier memory that says nearly the same; the two are linked.
    public var nearDuplicateOf: CubeID?
    /// The memory as it is stored.
    public var memory: MemCube
}

extension MemoryOS {
    /// The longest text of one input, in bytes.
    public static let maximumTextBytes = 1 << 20
    /// The longest tags and metadata of one input, in bytes: each part of a long text carries them.
    public static let maximumMetadataBytes = 1 << 16

    /// Records inputs in one transaction and returns when they are on disk.
    ///
    /// Long texts become several memories, exact slices of the original. The same text of the same
    /// speaker, session and time is recorded once. Calls that arrive together share one wait for the disk.
    ///
    /// - Throws: ``InputError`` for empty or oversized input, ``MnemeStore/StoreError``.
    /// - Complexity: no model call; less than a millisecond a message, and one wait for the disk.
    @discardableResult
    public func remember(
        _ inputs: [MemoryInput], scope: Scope, by caller: Caller = .local, idempotencyKey: String? = nil
    ) async throws -> [Remembered] {
        let result = try await record(inputs, scope: scope, by: caller, idempotencyKey: idempotencyKey)
        scheduleEmbedding()
        return result
    }

    /// As ``remember(_:scope:by:idempotencyKey:)``, without starting to embed: for imports and benchmarks,
    /// which embed in large batches afterwards.
    ///
    /// - Parameter isBulk: near duplicates are looked for only while the owner has few enough memories.
    package func record(
        _ inputs: [MemoryInput], scope: Scope, by caller: Caller, idempotencyKey: String? = nil, isBulk: Bool = false
    ) async throws -> [Remembered] {
        try Task.checkCancellation()
        for input in inputs { try input.check() }
        let policy = try store.policy(of: scope.tenant)
        return try await withSpan("remember") { span -> [Remembered] in
            span.attributes["mneme.messages"] = inputs.count
            let drafts = try await withSpan("remember.analyse") { _ in
                try await self.drafts(of: inputs, scope: scope, by: caller, policy: policy)
            }
            guard !drafts.isEmpty else { return [] }
            let write = PendingWrite(
                drafts: drafts, owner: scope.owner, caller: caller, idempotencyKey: idempotencyKey, isBulk: isBulk,
                learns: policy.protection == .hold)
            return try await withSpan("remember.commit") { _ in try await writes.commit(write, in: self) }
        }
    }

    /// Analyses inputs: a few on the caller's thread, many on all cores.
    private func drafts(of inputs: [MemoryInput], scope: Scope, by caller: Caller, policy: MemoryPolicy) async throws
        -> [Draft]
    {
        if inputs.reduce(0, { $0 + $1.text.utf8.count }) < 16_384 {
            return inputs.flatMap { drafts(of: $0, scope: scope, by: caller, policy: policy) }
        }
        return try await run { [self] in
            let share = 16
            let parts = NIOLockedValueBox([[Draft]](repeating: [], count: (inputs.count + share - 1) / share))
            DispatchQueue.concurrentPerform(iterations: (inputs.count + share - 1) / share) { part in
                let made = inputs[part * share..<min(inputs.count, (part + 1) * share)].flatMap {
                    drafts(of: $0, scope: scope, by: caller, policy: policy)
                }
                parts.withLockedValue { $0[part] = made }
            }
            return parts.withLockedValue { Array($0.joined()) }
        }
    }

    func drafts(of input: MemoryInput, scope: Scope, by caller: Caller, policy: MemoryPolicy) -> [Draft] {
        var input = input
        let whole = redact(&input, policy)
        let drafts = plainDrafts(of: input, scope: scope, by: caller, policy: policy)
        guard var whole, let first = drafts.first else { return drafts }
        // What was taken out is kept aside, where few see it, and goes with what was made of it.
        (whole.source, whole.reference, whole.sensitivity, whole.session) = (
            Provenance.redaction, first.cube.id.description, .restricted, nil
        )
        var archive = MemoryPolicy(protection: .off)
        archive.redaction = []
        var aside = scope
        aside.session = nil
        let originals = plainDrafts(of: whole, scope: aside, by: caller, policy: archive).map { draft in
            var draft = draft
            draft.cube.state = .archived
            return draft
        }
        return originals
            + drafts.map { draft in
                var draft = draft
                draft.links = originals.map {
                    CubeLink(source: draft.cube.id, target: $0.cube.id, kind: CubeLink.derivedFrom, time: caller.time)
                }
                return draft
            }
    }

    private func plainDrafts(of input: MemoryInput, scope: Scope, by caller: Caller, policy: MemoryPolicy) -> [Draft] {
        let parts = Segmenter.parts(of: input.text), content = ContentHash(input, scope: scope)
        return parts.enumerated().map { number, part in
            let text = String(part), words = TextAnalyzer.words(text), time = input.eventTime ?? caller.time
            var cubeScope = scope
            cubeScope.session = input.session ?? scope.session
            cubeScope.agent = input.agent ?? scope.agent
            var cube = MemCube(
                scope: cubeScope, type: input.type ?? TextFacts.type(of: text, words: words), text: text,
                speaker: input.speaker, eventTime: time,
                recordedTime: caller.time,
                provenance: Provenance(
                    source: input.source, reference: input.reference, part: parts.count > 1 ? number : nil,
                    parts: parts.count > 1 ? parts.count : nil))
            cube.utcOffset = input.utcOffset
            cube.tags = input.tags
            cube.sensitivity = input.sensitivity
            cube.metadata = input.metadata
            cube.expires = input.expires
            cube.priority = input.priority
            if input.isTrusted { cube.vouchedBy = caller.principal.name }
            let analysis = enrich(&cube, words: words)
            screen(&cube, policy)
            return Draft(cube: cube, analysis: analysis, contentHash: content.of(part: number))
        }
    }

    /// Names the parts of one saying; what they have in common is hashed once.
    private struct ContentHash {
        private var common = SHA256()

        init(_ input: MemoryInput, scope: Scope) {
            for field in [
                input.text, input.speaker ?? "", input.session ?? scope.session ?? "", input.agent ?? scope.agent ?? "",
                input.eventTime.map { String($0.timeIntervalSince1970) } ?? "", input.reference ?? "",
            ] { Self.add(field, to: &common) }
        }

        func of(part: Int) -> [UInt8] {
            var hash = common
            Self.add(String(part), to: &hash)
            return Array(hash.finalize().prefix(16))
        }

        private static func add(_ field: String, to hash: inout SHA256) { hash.update(data: Array(field.utf8) + [0]) }
    }

    /// Fills in what rules find in the text, and returns its index terms.
    ///
    /// - Parameter words: ``MnemeIndex/TextAnalyzer/words(_:)`` of the text.
    func enrich(_ cube: inout MemCube, words: [String]) -> Analysis {
        cube.entities = TextFacts.entities(in: cube.text, speaker: cube.speaker)
        // What stands for something that was taken out is nobody's name.
        let text = cube.text
        if text.contains("]") {
            cube.entities.removeAll { text.contains("[\($0)]") && Redactor.names.contains($0) }
        }
        cube.keywords = TextFacts.keywords(words)
        cube.dates = TimeExpressions.find(in: cube.text, reference: cube.localTime).prefix(16).map {
            DateMention(text: $0.text, start: $0.start, end: $0.end)
        }
        cube.claims = Claims.find(in: cube.text, words: words, speaker: cube.speaker)
        return Analysis(
            text: cube.text, words: words, entities: cube.entities, speaker: cube.speaker, eventTime: cube.localTime,
            analyzer: analyzer)
    }

    /// Names one part of one saying: the same words again at another time are another memory.
    static func contentHash(_ input: MemoryInput, part: Int, scope: Scope) -> [UInt8] {
        ContentHash(input, scope: scope).of(part: part)
    }
}

/// A request that cannot be carried out as it is. The message says what to change.
public struct InputError: Error, Sendable, CustomStringConvertible {
    /// What to change.
    public let description: String

    /// - Parameter description: what to change, for the person who asked.
    public init(_ description: String) { self.description = description }
}
