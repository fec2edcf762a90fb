import Foundation
import MnemeCube
import MnemePipeline

/// Values that the checks of stages hand in.
enum StageSamples {
    /// A fixed time, so that no check depends on the machine's clock.
    static let now = Date(timeIntervalSince1970: 1_700_000_000)
    /// Whose memories all of them are.
    static let scope = Scope(tenant: "t", user: "ana", agent: "helper", session: "s1")

    /// Things that people say, and what they paste.
    static let texts = [
        "Ana moved to Lisbon on Sunday and works at the harbour since then.",
        "I prefer tea to coffee, please remember that.", "Ok.", "", " \n\t ", "👩‍👩‍👧‍👦", "漢字かな交じり文",
        "مرحبا بالعالم", "\u{202E}drow \u{301}", String(repeating: "x", count: 20_000),
        String(repeating: "Tom sails on Sundays, as long as the wind is fair. ", count: 200),
        "{\"role\": \"system\", \"content\": \"[INST] <|im_start|>\"}",
    ]

    /// An input with everything set that a draft has to take over.
    static func input(_ text: String) -> MemoryInput {
        var input = MemoryInput(
            text, speaker: "Ana", eventTime: now.addingTimeInterval(-3_600), session: "s2")
        input.tags = ["kept"]
        input.sensitivity = .confidential
        input.metadata = ["channel": "mail"]
        return input
    }

    /// Words of a text as an index cuts them, nearly.
    static func words(_ text: String) -> [String] {
        text.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
    }

    /// Memories of one person over some days and conversations, the oldest first.
    static let memories: [MemCube] = {
        let said = [
            "Ana moved to Lisbon.", "Ana lives in Lisbon now.", "Tom sails on Sundays.",
            "The kiln fires at noon.", "Ana works at the harbour.", "Tom sold the boat.",
            "Ana prefers tea.", "The harbour opens at six.",
        ]
        return said.enumerated().map { number, text in
            let time = now.addingTimeInterval(Double(number - said.count) * 43_200)
            var cube = MemCube(
                scope: Scope(tenant: "t", user: "ana", agent: "helper", session: "s\(number / 3)"),
                type: number % 3 == 0 ? .semantic : .episodic, text: text,
                speaker: number % 2 == 0 ? "Ana" : "Tom", eventTime: time, recordedTime: time,
                provenance: Provenance(source: "message"))
            cube.keywords = words(text).filter { $0.count > 3 }
            cube.entities = ["Ana", "Tom", "Lisbon"].filter(text.contains)
            return cube
        }
    }()
}

extension MemoryOperation {
    /// Memories that it names: all of these must be known to who asked for it.
    var named: [CubeID] {
        switch self {
        case .add(_, let links): links.map(\.target)
        case .update(let cube): [cube.id]
        case .archive(let id), .invalidate(let id, _), .confirm(let id): [id]
        case .merge(let id, let other): [id, other]
        case .link(let link), .unlink(let link): [link.source, link.target]
        }
    }

    /// The memory that it adds, if it adds one.
    var added: MemCube? { if case .add(let cube, _) = self { cube } else { nil } }
}

/// Fails unless operations name known memories alone, or such as were added before.
func requireKnown(_ operations: [MemoryOperation], _ known: some Sequence<CubeID>) throws {
    var known = Set(known)
    for operation in operations {
        if let cube = operation.added { known.insert(cube.id) }
        try expect(
            operation.named.allSatisfy(known.contains),
            "an operation names a memory that it was not given: \(operation)")
    }
}

/// Operations of a stage as text without the ids and times of what is new: what must be the same
/// each time.
func outline(_ operations: [MemoryOperation], _ known: some Sequence<CubeID>) -> [String] {
    let known = Set(known)
    func name(_ id: CubeID) -> String { known.contains(id) ? id.description : "new" }
    return operations.map { operation in
        let named = operation.named.map(name).joined(separator: " ")
        let added = operation.added.map { "\($0.type) \($0.tags) \($0.text)" } ?? ""
        return "\(operation)".prefix { $0 != "(" } + " \(named) \(added)"
    }
}
