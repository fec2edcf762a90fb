public import Foundation
import MnemeBase
import MnemePipeline
public import MnemeStore

/// What is known of somebody.
public struct Profile: Sendable, Codable {
    /// A line: what holds, and the memories that say so.
    public struct Line: Sendable, Codable {
        /// What it is about, such as `home`.
        public var attribute: String
        /// What holds.
        public var value: String
        /// When it was first said.
        public var since: Date
        /// The memories that say it, the oldest first.
        public var memories: [CubeID]
    }

    /// Of whom.
    public var of: String
    /// By attribute.
    public var lines: [Line]
    /// Memories that were read.
    public var considered: Int
}

extension MemoryOS {
    /// What memories say of somebody and what still holds, each line with its evidence. Nothing is kept of it: a line goes
    /// with the last memory that says it.
    ///
    /// - Parameters:
    ///   - person: by name; nil for whoever keeps the memories without naming a speaker ("I").
    ///   - owner: whose memories are read.
    ///   - agent: only memories of this agent; nil for all.
    ///   - caller: what it may not read is no evidence.
    /// - Throws: `InputError` for an empty name, `AccessError`, `StoreError`.
    /// - Complexity: linear in the owner's memories, at most 50,000 of them.
    public func profile(
        of person: String? = nil, owner: Owner, agent: String? = nil, by caller: Caller = .local
    ) async throws -> Profile {
        if let person, !person.contains(where: { !$0.isWhitespace }) { throw InputError("A name is needed.") }
        var request = AskRequest("", owner: owner)
        (request.agent, request.now) = (agent, caller.time)
        let (cubes, _) = try await askable(request, by: caller)
        let sources = cubes.map { cube in
            ProfileLine.Source(
                text: cube.text, type: cube.type, speaker: cube.speaker, claims: cube.claims, time: cube.eventTime,
                isEnded: cube.validUntil.map { $0 <= caller.time } ?? false)
        }
        let name = person?.lowercased().trimmingCharacters(in: .whitespaces) ?? "i"
        let lines = ProfileLine.lines(of: name, from: sources).map { line in
            Profile.Line(
                attribute: line.attribute, value: line.value, since: line.since,
                memories: line.memories.map { cubes[$0].id })
        }
        return Profile(of: person ?? owner.user, lines: lines, considered: cubes.count)
    }
}
