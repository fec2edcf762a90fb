import Foundation
public import MnemeCube
public import MnemeStore
public import MnemeTrain

/// Which of an owner's memories an adapter is made from: `all`, or one condition such as `tag:work`.
public struct TrainingSelection: Sendable, Equatable {
    private enum Condition: Equatable {
        case all
        case tag(String)
        case type(MemoryType)
        case session(String)
        case agent(String)
    }

    private let condition: Condition
    /// As it was written.
    public let text: String

    /// - Parameter text: `all`, `tag:NAME`, `type:NAME`, `session:NAME` or `agent:NAME`.
    /// - Throws: `TrainingError` for anything else.
    public init(_ text: String) throws {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        let value = parts.count == 2 ? parts[1] : ""
        switch parts.first {
        case "all" where parts.count == 1: condition = .all
        case "tag" where !value.isEmpty: condition = .tag(value)
        case "session" where !value.isEmpty: condition = .session(value)
        case "agent" where !value.isEmpty: condition = .agent(value)
        case "type":
            guard let type = MemoryType(rawValue: value) else { fallthrough }
            condition = .type(type)
        default:
            throw TrainingError(
                .invalidSetting,
                "'\(text.prefix(80))' selects no memories. Write all, tag:NAME, type:NAME, session:NAME or agent:NAME."
            )
        }
        self.text = text
    }

    /// The memories, the oldest first: those that recall may return and that hold now.
    ///
    /// - Throws: `StoreError`; `TrainingError` if there are none.
    public func memories(in store: some CubeStore, of owner: Owner, by caller: Caller) throws
        -> [MemCube]
    {
        var filter = CubeFilter(owner: owner, limit: 500)
        var found: [MemCube] = []
        switch condition {
        case .all: break
        case .tag(let tag): filter.tag = tag
        case .type(let type): filter.type = type
        case .session(let session): filter.session = session
        case .agent(let agent): filter.agent = agent
        }
        while true {
            let page = try store.list(filter, by: caller)
            found += page.filter {
                $0.isPlaintext && $0.state.isRecallable && $0.validUntil == nil && !$0.text.isEmpty
            }
            guard page.count == filter.limit, let last = page.last else { break }
            filter.after = last.id
        }
        guard !found.isEmpty else {
            throw TrainingError(
                .emptySelection,
                "No memory of \(owner.user) is selected by '\(text)'. `mneme list` shows what there is."
            )
        }
        return found
    }
}

extension MemCube {
    /// The training examples of a memory: its text, and the questions that it answers by rule, in
    /// several wordings each. All are of one group.
    public var trainingExamples: [TrainingExample] {
        var examples = [TrainingExample(completion: text, group: "\(id)")]
        func ask(_ questions: [String], answer: String) {
            examples += questions.map {
                TrainingExample(prompt: $0, completion: answer, group: "\(id)")
            }
        }
        let claims = self.claims.filter { !$0.isDenied }
        for claim in claims {
            // A subject that the text does not name is the one who says "I".
            let name = text.range(of: claim.subject, options: .caseInsensitive).map { String(text[$0]) }
            ask(
                ClaimQuestion.texts(subject: name, attribute: claim.attribute),
                answer: name == nil ? "You said: \(text)" : text)
        }
        if claims.isEmpty { ask(StatementQuestion.texts(text), answer: text) }
        return examples
    }
}
