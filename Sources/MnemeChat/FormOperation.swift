import MnemeBase
public import MnemeCube

/// The six operations on memory of Du et al. 2025, "Rethinking Memory in AI" [70].
public enum MemoryVerb: String, Sendable, Codable, CaseIterable {
    /// Makes what is short-lived last.
    case consolidate
    /// Puts something new in the place of what is there.
    case update
    /// Finds what is there.
    case index
    /// Takes away.
    case forget
    /// Uses what is there for an answer.
    case retrieve
    /// Keeps less of it.
    case compress
}

/// One operation on one form of memory: what does it, or why nothing does.
///
/// All eighteen are in ``all``; `OperationMatrixTests` walks them through public interfaces.
public struct FormOperation: Sendable, Codable, Equatable {
    /// The operation and the form.
    public var verb: MemoryVerb, form: MemoryForm
    /// The command that does it; nil if it is refused.
    public var command: String?
    /// What happens, or why it is refused and what to do instead.
    public var note: String

    private init(_ verb: MemoryVerb, _ form: MemoryForm, _ command: String?, _ note: String) {
        (self.verb, self.form, self.command, self.note) = (verb, form, command, note)
    }

    /// Every operation on every form, by operation.
    public static let all = [
        FormOperation(
            .consolidate, .text, "mneme jobs add consolidate",
            "merges what says the same; `maintain` sums up by the recipe"),
        FormOperation(.consolidate, .kv, "mneme kv keep", "blocks that were cached become a memory with an owner"),
        FormOperation(
            .consolidate, .adapter, "mneme adapters train",
            "memories become weights of a model; `promote adapter=NAME` does it by itself"),
        FormOperation(.update, .text, "mneme update, correct", "a new version; the former stays in the history"),
        FormOperation(
            .update, .kv, nil,
            "Keys and values follow from their text and are never changed: erase them, and warm the new text (mneme kv warm)."
        ),
        FormOperation(
            .update, .adapter, "mneme adapters train --replace",
            "learns anew and takes the old one's place; `adapters retrain` as it was asked for before"),
        FormOperation(.index, .text, "mneme remember", "words at once, vectors soon after; `mneme reembed` anew"),
        FormOperation(.index, .kv, "mneme kv list", "a prefix tree in memory, files by hash on disk"),
        FormOperation(
            .index, .adapter, "mneme adapters list",
            "by name, with base model and sources; as memories: `list --form adapter`"),
        FormOperation(
            .forget, .text, "mneme erase, archive", "erases it with all that was made of it, or takes it out of recall"),
        FormOperation(.forget, .kv, "mneme kv erase", "erasing a text erases its blocks, too"),
        FormOperation(.forget, .adapter, "mneme adapters erase", "erasing a text takes adapters made of it out of use"),
        FormOperation(.retrieve, .text, "mneme recall", "by words, meaning, dates and links"),
        FormOperation(.retrieve, .kv, "mneme chat", "a prompt whose beginning is cached is not computed again"),
        FormOperation(.retrieve, .adapter, "mneme chat --adapter", "its terms are added to the model's matrices"),
        FormOperation(
            .compress, .text, "mneme jobs add maintain",
            "summaries, by a recipe that makes some (hema, h-mem, memorybank)"),
        FormOperation(
            .compress, .kv, "mneme chat --kv-policy --kv-type", "fewer rows of keys and values, or fewer bits of each"),
        FormOperation(
            .compress, .adapter, nil,
            "An adapter's rank is chosen when it learns (mneme adapters train --rank); merged into a model it takes no room of "
                + "its own (mneme adapters merge)."),
    ]

    /// The entry for an operation on a form.
    ///
    /// - Throws: `InputError` with the reason if it is refused.
    public static func require(_ verb: MemoryVerb, on form: MemoryForm) throws -> FormOperation {
        guard let entry = all.first(where: { $0.verb == verb && $0.form == form }), entry.command != nil else {
            let reason = all.first { $0.verb == verb && $0.form == form }?.note ?? "There is no such operation."
            throw InputError(reason)
        }
        return entry
    }
}
