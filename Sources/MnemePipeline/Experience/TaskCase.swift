public import Foundation

/// What was tried for a task, and what that was worth.
public struct TaskCase: Sendable, Equatable {
    /// The task in words.
    public var task: String
    /// What was tried.
    public var approach: String
    /// What trying it is expected to be worth, 0 to 1, learned from how it ended.
    public var value: Double
    /// How often it was tried for this very task.
    public var tries: Int
    /// When last.
    public var time: Date
    /// What it teaches.
    public var lesson: String?

    /// A case with the value that its outcome gave it.
    public init(
        task: String, approach: String, value: Double, tries: Int = 1, time: Date, lesson: String? = nil
    ) {
        self.task = task
        self.approach = approach
        self.value = value
        self.tries = tries
        self.time = time
        self.lesson = lesson
    }

    /// True if two are about one approach, whatever its capitals and spaces.
    public static func isSame(_ a: String, _ b: String) -> Bool { plain(a) == plain(b) }

    private static func plain(_ text: String) -> [Substring] {
        text.lowercased().split { $0.isWhitespace || $0 == "." }
    }
}

/// A way of doing tasks of a kind: what several cases that ended well have in common.
public struct TaskProcedure: Sendable, Equatable {
    /// Words that all its tasks have, in the order of the first task.
    public var about: [String]
    /// What to do.
    public var approach: String
    /// The mean value of its cases.
    public var value: Double
    /// Places of its cases among those that were given.
    public var cases: [Int]
    /// What the cases teach, each once.
    public var lessons: [String] = []

    /// A way of doing tasks, with what it comes from.
    public init(about: [String], approach: String, value: Double, cases: [Int]) {
        (self.about, self.approach, self.value, self.cases) = (about, approach, value, cases)
    }
}
