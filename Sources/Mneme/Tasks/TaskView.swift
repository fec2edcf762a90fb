public import MnemeStore

/// A task as it stands.
public struct TaskView: Sendable, Codable {
    /// A step of it.
    public struct Step: Sendable, Codable {
        /// The memory that it is.
        public var id: CubeID
        /// What is to be done.
        public var text: String
        /// `open`, `active`, `done`, `failed` or `dropped`.
        public var status: String
        /// How deep it lies; 0 is the task.
        public var depth: Int
        /// What came of it.
        public var result: String?
    }

    /// A file of it.
    public struct File: Sendable, Codable {
        /// Its path within the task, and its first line.
        public var path: String, outline: String
        /// Its size, counted as the prompt's.
        public var tokens: Int
        /// All that it holds; nil for one that was not asked for.
        public var text: String?
    }

    /// The task.
    public var task: CubeID
    /// The step that was begun or changed; the task if nothing was.
    public var step: CubeID
    /// The step that is worked on, or is to be next; nil if all is over.
    public var active: CubeID?
    /// What a model needs for that step.
    public var prompt: String
    /// The prompt's tokens, by the embedder's tokenizer; without one, four bytes a token.
    public var tokens: Int
    /// All steps in the order in which they are done.
    public var steps: [Step]
    /// Its files by their paths; nil where there are none, or nobody asked.
    public var files: [File]?
}

/// What is to be written of a step; what is nil stays as it is.
public struct TaskChange: Sendable {
    /// What is to be done.
    public var text: String?
    /// `open`, `active`, `done`, `failed` or `dropped`.
    public var status: String?
    /// What must hold for it and all below it; takes the place of what must have held before.
    public var constraints: [String]?
    /// What it starts from.
    public var input: String?
    /// Steps whose results it takes.
    public var needs: [CubeID]?
    /// What came of it.
    public var result: String?
    /// Where it goes.
    public var place: Place?

    /// Where a step goes, with all below it.
    public enum Place: Sendable {
        /// In front of another step, below the same parent.
        case before(CubeID)
        /// Behind all that is below another step.
        case below(CubeID)
    }

    /// A change of the text alone.
    public init(text: String? = nil) { self.text = text }
}
