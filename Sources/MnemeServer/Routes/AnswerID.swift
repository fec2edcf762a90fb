import MnemeStore

/// Names of answers.
enum AnswerID {
    /// A new name, ordered by time.
    ///
    /// - Parameter prefix: what it begins with, such as `msg_`.
    static func new(_ prefix: String) -> String {
        prefix + CubeID().description.replacing("-", with: "")
    }
}
