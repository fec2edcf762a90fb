import Foundation
import Mneme
import MnemeBase
import MnemeServer
import MnemeStore
import Testing

/// Embeds questions only after it is let go, and can be waited for.
private final class HeldEmbedder: TextEmbedder {
    let identifier = "held", dimension = 4, maximumTokens = 100
    let begun = DispatchSemaphore(value: 0), gate = DispatchSemaphore(value: 0)

    func embed(_ texts: [String]) throws -> Embeddings {
        if texts.contains(where: { $0.contains("held") }) {
            begun.signal()
            gate.wait()
            gate.signal()
        }
        return try ToyEmbedder().embed(texts)
    }

    func tokenCount(_ text: String) -> Int { text.utf8.count }
}

/// Both ends of a connection, as a client sees it.
private struct Wire {
    private let input: AsyncStream<[UInt8]>.Continuation
    private let output: AsyncStream<String>
    private let work: Task<Void, Never>

    init(_ session: MCPSession) {
        let (texts, input) = AsyncStream.makeStream(of: [UInt8].self)
        let (output, sent) = AsyncStream.makeStream(of: String.self)
        (self.input, self.output) = (input, output)
        work = Task {
            await MCPConnection(session) { sent.yield($0) }.serve(texts)
            sent.finish()
        }
    }

    func send(_ text: String) { input.yield(Array(text.utf8)) }

    /// The next message of the server's.
    func next() async throws -> JSONValue {
        var iterator = output.makeAsyncIterator()
        return try JSONValue(parsing: Array(try #require(await iterator.next()).utf8))
    }

    /// All that is still to come after the input has ended.
    func rest() async throws -> [JSONValue] {
        input.finish()
        var messages: [JSONValue] = []
        for await text in output { messages.append(try JSONValue(parsing: Array(text.utf8))) }
        return messages
    }
}

/// Waits off the threads that tests run on.
private func wait(for semaphore: DispatchSemaphore) async {
    await withCheckedContinuation { continuation in
        DispatchQueue.global().async {
            semaphore.wait()
            continuation.resume()
        }
    }
}

@Suite struct MCPConnectionTests {
    private static let cancellation =
        #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#

    @Test func `a cancelled call is not answered, and does not hold up the next`() async throws {
        let embedder = HeldEmbedder()
        let fixture = try MCPFixture(embedder: embedder)
        let wire = Wire(fixture.session)
        wire.send(try MCPFixture.call("recall", ["query": "held question"], id: 1))
        await wait(for: embedder.begun)
        wire.send(Self.cancellation)
        wire.send(try MCPFixture.call("stats", [:], id: 2))
        #expect(try await wire.next()["id"] == 2)
        embedder.gate.signal()
        #expect(try await wire.rest().isEmpty)
    }

    @Test func `a call that is cancelled while it waits is never begun`() async throws {
        let embedder = HeldEmbedder()
        let fixture = try MCPFixture(embedder: embedder)
        let wire = Wire(fixture.session)
        wire.send(try MCPFixture.call("recall", ["query": "held question"], id: 7))
        await wait(for: embedder.begun)
        wire.send(try MCPFixture.call("remember", ["text": "Never said"], id: 1))
        wire.send(Self.cancellation)
        // What needs no memory is answered although a call runs; so the cancellation was read.
        wire.send(try MCPFixture.request("ping", id: 2))
        #expect(try await wire.next()["id"] == 2)
        embedder.gate.signal()
        #expect(try await wire.rest().map { $0["id"] } == [7])
        #expect(try await fixture.call("list").text == "Nothing is remembered.")
    }

    @Test func `calls are carried out in the order in which they came`() async throws {
        let fixture = try MCPFixture()
        let wire = Wire(fixture.session)
        for i in 1...40 {
            wire.send(try MCPFixture.call("remember", ["text": .string("Note number \(i)")], id: i))
        }
        wire.send(try MCPFixture.call("list", ["limit": 40], id: 41))
        let answers = try await wire.rest()
        #expect(answers.map { $0["id"] } == (1...41).map { .number(Double($0)) })
        let texts = answers.last?["result"]?["structuredContent"]?["memories"]?.array?.compactMap {
            $0["text"]?.string
        }
        #expect(texts == (1...40).reversed().map { "Note number \($0)" })
    }

    @Test func `progress is told to who asks for it, and to nobody else`() async throws {
        let embedder = HeldEmbedder()
        let fixture = try MCPFixture(embedder: embedder)
        let wire = Wire(fixture.session)
        wire.send(try MCPFixture.call("stats", [:], id: 3))
        #expect(try await wire.next()["id"] == 3)
        wire.send(
            try MCPFixture.request(
                "tools/call",
                [
                    "name": "recall", "arguments": ["query": "held question"],
                    "_meta": ["progressToken": "p"],
                ], id: 1))
        var values: [Double] = []
        for _ in 0..<2 {
            let notice = try await wire.next()
            #expect(notice["method"] == "notifications/progress")
            #expect(notice["params"]?["progressToken"] == "p")
            values.append(notice["params"]?["progress"]?.double ?? -1)
        }
        #expect(values[0] < values[1])
        embedder.gate.signal()
        #expect(try await wire.rest().last?["id"] == 1)
    }

    @Test func `an id that is in use is refused`() async throws {
        let embedder = HeldEmbedder()
        let fixture = try MCPFixture(embedder: embedder)
        let wire = Wire(fixture.session)
        wire.send(try MCPFixture.call("recall", ["query": "held question"], id: 1))
        await wait(for: embedder.begun)
        wire.send(try MCPFixture.request("ping", id: 1))
        #expect(try await wire.next()["error"]?["code"] == -32600)
        embedder.gate.signal()
        #expect(try await wire.rest().map { $0["id"] } == [1])
    }

    @Test func `nonsense and batches are answered, and what nobody asked is not`() async throws {
        let wire = Wire(try MCPFixture().session)
        for text in [
            "{", #"{"jsonrpc":"2.0","result":{}}"#, #"{"jsonrpc":"2.0","method":"notifications/x"}"#,
            #"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
            #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[9]}}"#,
        ] { wire.send(text) }
        #expect(try await wire.next()["error"]?["code"] == -32700)
        let ping = try MCPFixture.request("ping")
        wire.send("[\(ping),\(ping)]")
        #expect(try await wire.rest().map { $0.array?.count } == [2])
    }
}
