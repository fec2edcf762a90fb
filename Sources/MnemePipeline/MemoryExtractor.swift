public import Foundation
public import MnemeCube

/// The first stage: makes memories of what somebody says or writes.
///
/// The core redacts an input before, and screens, indexes and stores the drafts after.
public protocol MemoryExtractor: Sendable {
    /// Memories to record of an input, in order.
    func drafts(of input: MemoryInput, in context: ExtractionContext) -> [Draft]
    /// Fills in what is derived from a memory's text: entities, keywords, dates, claims. Also
    /// called after a change of the text.
    ///
    /// - Parameters:
    ///   - cube: the memory.
    ///   - words: of its text, as `TextAnalyzer.words(_:)` of MnemeIndex gives them.
    func enrich(_ cube: inout MemCube, words: [String])
}

/// For whom and when an input is extracted.
public struct ExtractionContext: Sendable {
    /// The owner, agent and session of the call.
    public var scope: Scope
    /// The time of recording.
    public var time: Date

    /// A scope at a time.
    public init(scope: Scope, time: Date) {
        self.scope = scope
        self.time = time
    }

    /// A memory of `text` with what the input says of it: speaker, times, session, tags and so on.
    ///
    /// - Parameters:
    ///   - text: what is remembered.
    ///   - type: its kind.
    ///   - input: what was said, and by whom.
    ///   - part: place of the text among the input's parts; left out of the provenance where there
    ///     is one part.
    ///   - parts: memories that are made of the input.
    public func cube(
        _ text: String, type: MemoryType, of input: MemoryInput, part: Int = 0, parts: Int = 1
    ) -> MemCube {
        var cubeScope = scope
        cubeScope.session = input.session ?? scope.session
        cubeScope.agent = input.agent ?? scope.agent
        var cube = MemCube(
            scope: cubeScope, type: type, text: text, speaker: input.speaker,
            eventTime: input.eventTime ?? time,
            recordedTime: time,
            provenance: Provenance(
                source: input.source, reference: input.reference, part: parts > 1 ? part : nil,
                parts: parts > 1 ? parts : nil))
        cube.utcOffset = input.utcOffset
        cube.tags = input.tags
        cube.sensitivity = input.sensitivity
        cube.metadata = input.metadata
        cube.expires = input.expires
        cube.priority = input.priority
        return cube
    }
}

/// A memory that an ``MemoryExtractor`` proposes.
public struct Draft: Sendable {
    /// The memory.
    public var cube: MemCube
    /// Words of its text, as `TextAnalyzer.words(_:)` of MnemeIndex gives them; they are indexed.
    /// nil has the core cut them.
    public var words: [String]?
    /// The draft of the same input that it was made of, by its place; it is erased with that one.
    public var source: Int?

    /// A memory and the words of its text.
    public init(_ cube: MemCube, words: [String]?) {
        self.cube = cube
        self.words = words
    }

    /// A memory made of another draft of the same input; see ``source``.
    public init(_ cube: MemCube, madeOf source: Int) {
        self.cube = cube
        self.source = source
    }
}
