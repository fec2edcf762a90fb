import CMnemeKernels
import Foundation

/// A fixed team of threads for numeric work, outside Swift's cooperative pool.
///
/// Workers spin for some microseconds between tasks and then sleep. Tasks from several callers
/// take turns. Do not call ``run(_:)`` from inside a task.
public final class ThreadPool: Sendable {
    // The C pool does its own locking.
    private nonisolated(unsafe) let pool: OpaquePointer
    /// Threads that run a task, the caller's included.
    public let threadCount: Int

    /// - Parameter threads: at least 1; nil uses one per core. Fewer start if the system refuses
    ///   more.
    public init(threads: Int? = nil) {
        let wanted = max(1, threads ?? ProcessInfo.processInfo.activeProcessorCount)
        guard let pool = mnk_pool_create(wanted) ?? mnk_pool_create(1) else {
            fatalError("No memory for a thread pool.")
        }
        self.pool = pool
        threadCount = mnk_pool_threads(pool)
    }

    deinit { mnk_pool_destroy(pool) }

    /// One pool for the process, a thread per core, started when first used.
    public static let shared = ThreadPool()

    /// Runs `body(index, count)` once on each thread and returns when all have ended.
    public func run(_ body: (_ index: Int, _ count: Int) -> Void) {
        withoutActuallyEscaping(body) { run(Closure(body: $0)) }
    }

    /// Runs the task once on each thread and returns when all have ended. Allocates nothing.
    package func run<Task: PoolTask>(_ task: Task) {
        withUnsafePointer(to: task) { pointer in
            var call = Call(task: UnsafeRawPointer(pointer), type: Task.self)
            mnk_pool_run(
                pool,
                { context, index, count in
                    let call = context!.assumingMemoryBound(to: Call.self).pointee
                    call.type.run(call.task, index, count)
                }, &call)
        }
    }

    private struct Call {
        var task: UnsafeRawPointer
        var type: any PoolTask.Type
    }

    private struct Closure: PoolTask {
        var body: (Int, Int) -> Void
        func run(_ index: Int, of count: Int) { body(index, count) }
    }

    /// Waits inside a task until all of its threads arrive.
    package func barrier() { mnk_pool_barrier(pool) }
}

/// Work for each thread of a pool.
package protocol PoolTask {
    /// The share of thread `index`.
    func run(_ index: Int, of count: Int)
}

extension PoolTask {
    fileprivate static func run(_ task: UnsafeRawPointer, _ index: Int, _ count: Int) {
        task.assumingMemoryBound(to: Self.self).pointee.run(index, of: count)
    }
}

/// Thread `index`'s share of `count` pieces of work.
package func shareOf(_ count: Int, _ index: Int, _ threads: Int) -> Range<Int> {
    count * index / threads..<count * (index + 1) / threads
}
