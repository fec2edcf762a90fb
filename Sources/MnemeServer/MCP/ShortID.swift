import Foundation
import Mneme
import MnemeBase
import MnemeStore

/// Ids as models read and write them: the last eight digits of a memory's id, which are random. A
/// whole id is longer than many a memory.
enum ShortID {
    /// Digits of a short id: among 100,000 memories one in 40,000 shares its own with another.
    static let length = 8
    /// The schema of an argument that takes a short id as well as a whole one.
    static func schema(_ help: String) -> JSONValue {
        ["type": "string", "minLength": 8, "maxLength": 36, "description": .string(help)]
    }

    /// The short id of a memory.
    static func of(_ id: String) -> String { String(id.suffix(length)) }

    /// True if a parameter's values are ids of memories.
    static func isTaken(by parameter: any AnyParameter) -> Bool {
        parameter.schema["format"] == "uuid"
    }

    /// The arguments of a call with whole ids in place of short ones.
    ///
    /// - Throws: `InputError` for what is no id, and where several memories end so, ``MnemeStore/StoreError`` where none
    ///   does, ``MnemeStore/AccessError`` for an owner out of reach.
    static func expanded(
        _ arguments: [String: JSONValue], _ parameters: [any AnyParameter], memory: MemoryOS,
        by caller: Caller
    ) async throws -> [String: JSONValue] {
        var arguments = arguments
        for parameter in parameters where isTaken(by: parameter) {
            guard let text = arguments[parameter.name]?.string?.lowercased() else { continue }
            guard isShort(text) || CubeID(text) != nil else {
                throw InputError(
                    "'\(parameter.name)' must be a memory's id: the eight digits that a line of recall or list begins with, or all of it."
                )
            }
            let owner = try caller.principal.owner(
                tenant: arguments["tenant"]?.string, user: arguments["user"]?.string)
            arguments[parameter.name] = .string(
                try await whole(text, owner: owner, memory: memory, by: caller))
        }
        return arguments
    }

    /// The whole id of a memory.
    ///
    /// - Throws: as ``expanded(_:_:memory:by:)``.
    static func whole(
        _ text: String, owner: Owner, memory: MemoryOS, by caller: Caller
    ) async throws -> String {
        guard isShort(text.lowercased()) else { return text }
        let ending = text.lowercased()
        let found = try await memory.ids(endingWith: ending, owner: owner, by: caller)
        guard let first = found.first else {
            throw StoreError(
                .notFound, "There is no memory \(ending) of \(owner.user). recall and list show ids.")
        }
        guard found.count == 1 else {
            let all = found.map(\.description).joined(separator: ", ")
            throw InputError("Several memories end with \(ending). Give the whole id: \(all).")
        }
        return first.description
    }

    /// True if a text is a short id, and not the beginning of some name.
    private static func isShort(_ text: String) -> Bool {
        text.utf8.count == length
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }
}
