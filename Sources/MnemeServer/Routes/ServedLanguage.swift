import Logging
import Mneme
import MnemeEngine
import MnemeStore

/// The language model that a server runs.
struct ServedLanguage: Sendable {
    let model: LanguageModel
    let engine: Engine
    let logger: Logger

    /// What is told of an error that comes up after an answer began.
    func note(_ error: any Error, _ caller: Caller) -> ClientError {
        ClientError(error, log: logger, operation: caller.operation, request: caller.request)
    }
}
