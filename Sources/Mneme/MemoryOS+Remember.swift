import Crypto
public import Foundation
import MnemeIndex
public import MnemeStore

/// Something to remember: a message, a note, a part of a document.
public struct MemoryInput: Sendable, Codable {
    /// The text, kept exactly.
    public var text: String
    /// Who said it.
    public var speaker: String?
    /// When it was said or happened; nil means now.
    public var eventTime: Date?
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

    /// Records inputs in one transaction and returns when they are on disk.
    ///
    /// Long texts become several memories, exact slices of the original. The same text of the same
    /// speaker, session and time is recorded once.
    ///
    /// - Throws: ``InputError`` for empty or oversized input, ``MnemeStore/StoreError``.
    /// - Complexity: no model call; milliseconds a message.
    @discardableResult
    public func remember(
        _ inputs: [MemoryInput], scope: Scope, context: WriteContext = WriteContext(), idempotencyKey: String? = nil
    ) async throws -> [Remembered] {
        let result = try await run { [self] in try record(inputs, scope: scope, context: context, idempotencyKey: idempotencyKey) }
        scheduleEmbedding()
        return result
    }

    /// As ``remember(_:scope:context:idempotencyKey:)``, on the calling thread, and without starting to embed.
    func record(_ inputs: [MemoryInput], scope: Scope, context: WriteContext, idempotencyKey: String? = nil) throws -> [Remembered] {
        for input in inputs {
            guard input.text.contains(where: { !$0.isWhitespace }) else { throw InputError("There is no text to remember.") }
            guard input.text.utf8.count <= Self.maximumTextBytes else {
                throw InputError("A text of \(input.text.utf8.count) bytes is too long; at most \(Self.maximumTextBytes) are taken. Import it as a file.")
            }
        }
        var mutations: [Mutation] = [], remembered: [Remembered] = [], hashes: [[UInt8]: Int] = [:]
        var near: [(analysis: Analysis, index: Int)] = []
        for input in inputs {
            let parts = Segmenter.parts(of: input.text)
            for (number, part) in parts.enumerated() {
                let time = input.eventTime ?? context.time
                let text = String(part)
                let hash = Self.contentHash(input, part: number, scope: scope)
                if idempotencyKey == nil {
                    if let id = try store.find(contentHash: hash, owner: scope.owner), let known = try store.cube(id, owner: scope.owner, asOf: nil) {
                        remembered.append(Remembered(id: id, type: known.type, duplicate: true, nearDuplicateOf: nil, memory: known))
                        continue
                    }
                }
                if let first = hashes[hash] {
                    remembered.append(
                        Remembered(
                            id: remembered[first].id, type: remembered[first].type, duplicate: true, nearDuplicateOf: nil, memory: remembered[first].memory))
                    continue
                }
                var cubeScope = scope
                cubeScope.session = input.session ?? scope.session
                cubeScope.agent = input.agent ?? scope.agent
                var cube = MemCube(
                    scope: cubeScope, type: input.type ?? TextFacts.type(of: text), text: text, speaker: input.speaker, eventTime: time,
                    recordedTime: context.time,
                    provenance: Provenance(
                        source: input.source, reference: input.reference, part: parts.count > 1 ? number : nil, parts: parts.count > 1 ? parts.count : nil))
                cube.tags = input.tags
                cube.metadata = input.metadata
                cube.expires = input.expires
                cube.priority = input.priority
                let analysis = enrich(&cube)
                hashes[hash] = remembered.count
                near.append((analysis, remembered.count))
                remembered.append(Remembered(id: cube.id, type: cube.type, duplicate: false, nearDuplicateOf: nil, memory: cube))
                mutations.append(.add(cube, analysis: analysis.encoded, contentHash: hash))
            }
        }
        guard !mutations.isEmpty else { return remembered }
        // Near duplicates are looked for among what was there before.
        try withIndex(scope.owner) { index in
            for (analysis, i) in near { remembered[i].nearDuplicateOf = index.nearDuplicate(of: analysis) }
        }
        for item in remembered where !item.duplicate {
            if let other = item.nearDuplicateOf {
                mutations.append(.link(CubeLink(source: item.id, target: other, kind: "nearDuplicateOf", time: context.time)))
            }
        }
        let saved = try store.commit(mutations, owner: scope.owner, context: context, idempotencyKey: idempotencyKey)
        // A repeated idempotency key answers with the cubes of the first request.
        let known = Set(remembered.map(\.id))
        if saved.contains(where: { !known.contains($0.id) }) {
            return saved.map { Remembered(id: $0.id, type: $0.type, duplicate: true, nearDuplicateOf: nil, memory: $0) }
        }
        return remembered
    }

    /// Fills in what rules find in the text, and returns its index terms.
    func enrich(_ cube: inout MemCube) -> Analysis {
        cube.entities = TextFacts.entities(in: cube.text, speaker: cube.speaker)
        cube.keywords = TextFacts.keywords(in: cube.text)
        cube.dates = TimeExpressions.find(in: cube.text, reference: cube.eventTime).prefix(16).map { DateMention(text: $0.text, start: $0.start, end: $0.end) }
        return Analysis(text: cube.text, speaker: cube.speaker, eventTime: cube.eventTime, analyzer: analyzer)
    }

    /// Names one part of one saying: the same words again at another time are another memory.
    static func contentHash(_ input: MemoryInput, part: Int, scope: Scope) -> [UInt8] {
        var hash = SHA256()
        let fields: [String] = [
            input.text, input.speaker ?? "", input.session ?? scope.session ?? "", input.agent ?? scope.agent ?? "",
            input.eventTime.map { String($0.timeIntervalSince1970) } ?? "", input.reference ?? "", String(part),
        ]
        for field in fields {
            hash.update(data: Data(field.utf8))
            hash.update(data: [0])
        }
        return Array(hash.finalize().prefix(16))
    }
}

/// A request that cannot be carried out as it is. The message says what to change.
public struct InputError: Error, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
