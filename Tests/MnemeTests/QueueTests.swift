import Foundation
import Mneme
import NIOConcurrencyHelpers
import Testing

/// Calls that wait for a thread or for a batch: they hold no thread, and can be given up.
// The limit ends what waits for ever. All tests begin at once, so others' time is in it.
@Suite(.timeLimit(.minutes(30))) struct QueueTests {
    /// Work that goes on until it is told to end.
    private struct Gate {
        private let opened = DispatchSemaphore(value: 0)
        func pass() {
            opened.wait()
            opened.signal()
        }
        func open() { opened.signal() }
    }

    /// Counts what runs at the same time.
    private final class Meter: Sendable {
        private let counts = NIOLockedValueBox((now: 0, most: 0))
        var most: Int { counts.withLockedValue { $0.most } }
        func measure() {
            counts.withLockedValue {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            usleep(500)
            counts.withLockedValue { $0.now -= 1 }
        }
    }

    @Test func `no more work runs at a time than the queue is wide, and all of it is done`()
        async throws
    {
        let queue = WorkQueue(label: "test", width: 3)
        let meter = Meter()
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for i in 0..<100 {
                group.addTask {
                    try await queue.run {
                        meter.measure()
                        return i
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(sum == 4_950)
        #expect((1...3).contains(meter.most))
    }

    @Test func `calls that wait leave Swift's threads to others`() async throws {
        let queue = WorkQueue(label: "test", width: 1)
        let gate = Gate()
        let waiting = (0..<500).map { _ in Task { try await queue.run { gate.pass() } } }
        // More tasks wait than there are threads: this one could not run if they held them.
        let others = (0..<50).map { i in
            Task {
                await Task.yield()
                return i
            }
        }
        for (i, other) in others.enumerated() { #expect(await other.value == i) }
        gate.open()
        for task in waiting { try await task.value }
    }

    @Test func `work whose task is cancelled while it waits is never begun`() async throws {
        let queue = WorkQueue(label: "test", width: 1)
        let gate = Gate()
        let begun = NIOLockedValueBox<[Int]>([])
        let first = Task { try await queue.run { gate.pass() } }
        let others = (0..<4).map { i in
            Task { try await queue.run { begun.withLockedValue { $0.append(i) } } }
        }
        for i in [0, 2] {
            others[i].cancel()
            // While the queue is at work: nobody waits for its end to be told so.
            await #expect(throws: CancellationError.self) { try await others[i].value }
        }
        gate.open()
        try await first.value
        for i in [1, 3] { try await others[i].value }
        #expect(begun.withLockedValue { $0.sorted() } == [1, 3])
        // The thread of what was given up is free again.
        #expect(try await queue.run { 7 } == 7)
    }

    @Test func `an error of the work is the call's, and the queue goes on`() async throws {
        struct Failure: Error {}
        let queue = WorkQueue(label: "test", width: 1)
        await #expect(throws: Failure.self) { try await queue.run { throw Failure() } }
        #expect(try await queue.run { 1 } == 1)
    }

    @Test func `an item whose task is cancelled while it waits is in no batch`() async throws {
        let queue = BatchQueue<Int, Int>(label: "test")
        let gate = Gate()
        let batches = NIOLockedValueBox<[[Int]]>([])
        let begun = AsyncStream<Void>.makeStream()
        let work: BatchQueue<Int, Int>.Work = { items in
            batches.withLockedValue { $0.append(items) }
            begun.continuation.yield()
            if items.contains(0) { gate.pass() }
            return items.map { .success($0 * 2) }
        }
        let first = Task { try await queue.run(0, by: work) }
        for await _ in begun.stream { break }
        let others = (1...4).map { i in Task { try await queue.run(i, by: work) } }
        for i in [1, 3] {
            others[i - 1].cancel()
            await #expect(throws: CancellationError.self) { try await others[i - 1].value }
        }
        gate.open()
        #expect(try await first.value == 0)
        #expect(try await others[1].value == 4)
        #expect(try await others[3].value == 8)
        #expect(batches.withLockedValue { Set($0.joined()) } == [0, 2, 4])
        #expect(batches.withLockedValue { $0.allSatisfy { !$0.isEmpty } })
    }

    @Test func `what is cancelled before it is asked for is not done`() async throws {
        let queue = WorkQueue(label: "test", width: 1)
        let done = NIOLockedValueBox(0)
        let batches = BatchQueue<Int, Int>(label: "test")
        let work: BatchQueue<Int, Int>.Work = { items in
            done.withLockedValue { $0 += 1 }
            return items.map { .success($0) }
        }
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            await #expect(throws: CancellationError.self) {
                try await queue.run { done.withLockedValue { $0 += 1 } }
            }
            await #expect(throws: CancellationError.self) { try await batches.run(1, by: work) }
        }
        task.cancel()
        await task.value
        #expect(done.withLockedValue { $0 } == 0)
        #expect(try await batches.run(2, by: work) == 2)
    }
}
