import Foundation
package import Mneme
package import MnemeCube
package import MnemeEngine
package import MnemeStore

/// Which layer of somebody's memory answers a question: the profile, the log of what was said, or a model that
/// has learned it (Second Me, Wei et al. 2025) [200].
///
/// A form is filled: each memory that answers a question by rule is a field whose value is known. All layers
/// are asked for each field, and what answers is named, down to the memories behind it.
package struct LayerProbes: Sendable {
    /// The layers, from the one that costs an answer least.
    package enum Layer: String, Sendable, Codable, CaseIterable {
        /// What holds of somebody, in lines with evidence.
        case profile
        /// What was said, recalled by the question.
        case log
        /// A model that has learned it, without any memory in its prompt.
        case adapter
    }

    /// A field of the form, and what filled it.
    package struct Field: Sendable, Codable, Equatable {
        package var question, expected: String
        /// The memory that knows it.
        package var memory: String
        /// Memories behind the line of the profile that holds it; empty if none does.
        package var profile: [String] = []
        /// Recalled memories that say it, the best first.
        package var log: [String] = []
        /// Whether the model says it as it is, and with the adapter.
        package var before = false, adapter = false
        /// The first layer that knows it; nil if none does.
        package var layer: Layer?
    }

    /// Memories that the log gives for a question.
    private static let recalled = 5

    private let memory: MemoryOS
    private let owner: Owner
    private let caller: Caller

    /// - Parameter caller: what it may not read is in no layer.
    package init(_ memory: MemoryOS, of owner: Owner, by caller: Caller = .local) {
        (self.memory, self.owner, self.caller) = (memory, owner, caller)
    }

    /// Fills the fields of those memories that answer a question by rule.
    ///
    /// - Parameters:
    ///   - cubes: of the owner.
    ///   - model: tells whether a model answers a question rightly as it is, and with the adapter.
    /// - Throws: `StoreError`, `AccessError`, and what `model` throws.
    /// - Complexity: a profile for each person, and a recall and two answers for each field.
    package func fields(
        of cubes: [MemCube], model: (AdapterEvaluation.Question) async throws -> (before: Bool, adapter: Bool)
    ) async throws -> [Field] {
        var profiles: [String: Profile] = [:]
        var fields: [Field] = []
        for cube in cubes {
            guard let probe = cube.probe else { continue }
            let question = AdapterEvaluation.Question(prompt: probe.prompt, answer: probe.expected)
            var field = Field(
                question: probe.prompt, expected: probe.expected, memory: cube.id.description)
            if let claim = cube.claims.first(where: { !$0.isDenied && $0.value == probe.expected }) {
                let person = claim.subject == "i" ? nil : claim.subject
                let profile: Profile
                if let known = profiles[claim.subject] {
                    profile = known
                } else {
                    profile = try await memory.profile(of: person, owner: owner, by: caller)
                }
                profiles[claim.subject] = profile
                let lines = profile.lines.filter {
                    $0.attribute == claim.attribute && question.isAnswered(by: $0.value)
                }
                field.profile = lines.flatMap(\.memories).map(\.description)
            }
            var request = RecallRequest(probe.prompt, owner: owner)
            request.limit = Self.recalled
            field.log = try await memory.recall(request, by: caller).memories
                .filter { question.isAnswered(by: $0.text) }.map(\.memory.id.description)
            (field.before, field.adapter) = try await model(question)
            field.layer =
                !field.profile.isEmpty ? .profile : !field.log.isEmpty ? .log : field.adapter ? .adapter : nil
            fields.append(field)
        }
        return fields
    }
}
