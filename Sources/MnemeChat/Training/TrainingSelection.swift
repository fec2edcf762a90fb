import Foundation
public import MnemeCube
public import MnemeStore
import MnemeTrain

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
            found += page.filter(\.isLearnable)
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
