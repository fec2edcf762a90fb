import Mneme
import MnemeBase
import NIOConcurrencyHelpers

/// A stream of messages both ways, such as a process's standard input and output.
///
/// Reading never waits for a call. Calls are carried out one after the other, in the order in which
/// they came, so that what is remembered first stands first; what needs no memory is answered at
/// once; `notifications/cancelled` ends a call that runs, or keeps one that waits from beginning.
public struct MCPConnection: Sendable {
    /// Answers each request, wherever it came from.
    private let session: MCPSession
    /// Calls that are not answered yet.
    private let calls: RunningCalls

    /// A connection whose messages a session answers.
    ///
    /// - Parameters:
    ///   - session: answers what comes in.
    ///   - send: takes each message of ours, without a line's end; called one at a time.
    public init(_ session: MCPSession, send: @escaping @Sendable (String) -> Void) {
        self.session = session
        calls = RunningCalls(send: send)
    }

    /// Answers messages until there are no more, and all that came are answered.
    ///
    /// - Parameter texts: a message each, or a batch; read as they come, never held up by a call.
    public func serve(_ texts: AsyncStream<[UInt8]>) async {
        await withDiscardingTaskGroup { group in
            // The call that the next one waits for.
            var last: Task<Void, Never>?
            for await text in texts {
                let (messages, isBatch) = MCPMessage.read(text)
                guard !isBatch, case .request(let request) = messages[0] else {
                    if isBatch {
                        group.addTask { [session, calls] in
                            if let answer = await session.answer(text) { calls.send(answer) }
                        }
                    } else {
                        take(messages[0])
                    }
                    continue
                }
                guard let task = begin(request, after: last) else { continue }
                if !MCPSession.isImmediate(request.method) { last = task }
                group.addTask { await task.value }
            }
        }
    }

    /// Takes what is no request.
    private func take(_ message: MCPMessage) {
        switch message {
        case .malformed(let reply): calls.send(reply.text)
        case .notification("notifications/cancelled", let parameters):
            if let id = parameters?["requestId"] { calls.cancel(id) }
        default: break
        }
    }

    /// Starts a request; nil if its id is in use.
    ///
    /// - Parameter last: the call that came before, which this one waits for.
    private func begin(_ request: MCPRequest, after last: Task<Void, Never>?) -> Task<Void, Never>? {
        let waits = !MCPSession.isImmediate(request.method)
        let begun = calls.begin(request.id) { [session, calls] in
            if waits {
                await last?.value
                guard !Task.isCancelled else { return }
            }
            // Storage and models are not interrupted: what they answer late is dropped.
            let reply = await untilCancelled {
                await session.reply(to: request) { calls.send($0, while: request.id) }
            }
            if let reply { calls.finish(request.id, reply.text) }
        }
        if begun == nil {
            let error = MCPError(
                .invalidRequest, "The id \(request.id.text.prefix(60)) is in use. Give each its own.")
            calls.send(MCPReply(id: request.id, error: error).text)
        }
        return begun
    }
}

/// Requests that are not answered yet, and the way out for what is sent. Whether a call was
/// cancelled is asked under the same lock that orders what is sent: nothing follows a cancellation.
private final class RunningCalls: Sendable {
    /// By the text of their ids: `1` and `"1"` are two.
    private let running = NIOLockedValueBox<[String: Task<Void, Never>]>([:])
    /// Called under the lock alone, so that messages do not mix.
    private let output: @Sendable (String) -> Void

    init(send: @escaping @Sendable (String) -> Void) { output = send }

    /// Runs `body` as the call `id`; nil if there is one.
    func begin(
        _ id: OrderedJSON, _ body: @escaping @Sendable () async -> Void
    ) -> Task<Void, Never>? {
        running.withLockedValue { running in
            guard running[id.text] == nil else { return nil }
            let task = Task { await body() }
            running[id.text] = task
            return task
        }
    }

    /// Ends a call at its client's wish.
    func cancel(_ id: OrderedJSON) {
        running.withLockedValue { $0.removeValue(forKey: id.text) }?.cancel()
    }

    /// Sends a call's answer, unless it was cancelled.
    func finish(_ id: OrderedJSON, _ answer: String) {
        running.withLockedValue { running in
            if running.removeValue(forKey: id.text) != nil { output(answer) }
        }
    }

    /// Sends what belongs to a call, unless it was cancelled.
    func send(_ text: String, while id: OrderedJSON) {
        running.withLockedValue { if $0[id.text] != nil { output(text) } }
    }

    /// Sends what belongs to no call.
    func send(_ text: String) { running.withLockedValue { _ in output(text) } }
}

/// The answer of `body`, or nil as soon as this task is cancelled. What was begun then ends
/// unheard.
private func untilCancelled<Answer: Sendable>(
    _ body: @escaping @Sendable () async -> Answer
) async -> Answer? {
    let (answers, continuation) = AsyncStream.makeStream(of: Answer.self)
    let work = Task {
        continuation.yield(await body())
        continuation.finish()
    }
    return await withTaskCancellationHandler {
        var iterator = answers.makeAsyncIterator()
        return await iterator.next()
    } onCancel: {
        work.cancel()
        continuation.finish()
    }
}
