import Mneme
import MnemeBase

/// Tells a client, if it asked, that a call goes on: at its beginning and then every second. Many
/// clients give up on a call of which they hear nothing.
struct MCPProgress: Sendable {
    /// The client's name for the call's progress; nil if it did not ask.
    private let token: OrderedJSON?
    /// Sends a notice; nil where the client could not read one.
    private let notify: (@Sendable (String) -> Void)?

    /// Progress of one request; nothing is told unless the request asked for it.
    ///
    /// - Parameter notify: sends a notice.
    init(_ request: MCPRequest, _ notify: (@Sendable (String) -> Void)?) {
        (token, self.notify) = (request.progressToken, notify)
    }

    /// Runs `body`, with notices until it ends.
    func report<Result: Sendable>(
        _ name: String, _ body: @escaping @Sendable () async -> Result
    ) async -> Result {
        guard let token, let notify else { return await body() }
        notify(Self.notice(token, seconds: 0, "\(name) has begun"))
        return await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // The protocol wants each value greater than the one before.
                var seconds = 0
                while (try? await Task.sleep(for: .seconds(1))) != nil {
                    seconds += 1
                    notify(Self.notice(token, seconds: seconds, "\(name) goes on"))
                }
            }
            // The group ends with the last notice: none follows the answer.
            let result = await body()
            group.cancelAll()
            return result
        }
    }

    /// A progress notification: nobody knows how far a call is, so that what grows is its time.
    private static func notice(_ token: OrderedJSON, seconds: Int, _ message: String) -> String {
        #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"#
            + "\(token.text),\"progress\":\(seconds),\"message\":\"\(message)\"}}"
    }
}
