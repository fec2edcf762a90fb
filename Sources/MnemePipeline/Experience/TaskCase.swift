package import Foundation

/// What was tried for a task, and what that was worth.
package struct TaskCase: Sendable, Equatable {
    /// The task in words.
    package var task: String
    /// What was tried.
    package var approach: String
    /// What trying it is expected to be worth, 0 to 1, learned from how it ended.
    package var value: Double
    /// How often it was tried for this very task.
    package var tries: Int
    /// When last.
    package var time: Date
    /// What it teaches.
    package var lesson: String?

    /// A case with the value that its outcome gave it.
    package init(
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
    package static func isSame(_ a: String, _ b: String) -> Bool { plain(a) == plain(b) }

    private static func plain(_ text: String) -> [Substring] {
        text.lowercased().split { $0.isWhitespace || $0 == "." }
    }
}

/// A way of doing tasks of a kind: what several cases that ended well have in common.
package struct TaskProcedure: Sendable, Equatable {
    /// Words that all its tasks have, in the order of the first task.
    package var about: [String]
    /// What to do.
    package var approach: String
    /// The mean value of its cases.
    package var value: Double
    /// Places of its cases among those that were given.
    package var cases: [Int]
    /// What the cases teach, each once.
    package var lessons: [String]
}
