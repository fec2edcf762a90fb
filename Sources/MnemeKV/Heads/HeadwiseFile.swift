import CMnemeMemory
import Foundation
import MnemeBase
import NIOConcurrencyHelpers

/// Rows of all heads of one sequence in a file that has no name, and room in memory for two groups of
/// them: one that is computed with while the other comes.
///
/// A head's pages follow each other in both, so that a group is one read a head. One thread at a time
/// asks; reads and writes are done by a queue, in the order in which they were asked for.
final class HeadwiseFile: @unchecked Sendable {
    // Sendable: memory of a slot is touched either by the queue or, once a read has ended, by steps.
    /// Bytes of a page of 32 rows of one head, and of a head's room.
    let pageBytes: Int, headBytes: Int
    /// The two slots' memory.
    let base: UnsafeMutableRawPointer
    private let headsPerSlot: Int
    private let cold: Int32, memory: Int32
    private let length: Int
    private let queue = DispatchQueue(label: "mneme.headwise", qos: .userInitiated)
    private let state = NIOLockedValueBox(State())

    /// What the queue has done.
    struct State: Sendable {
        var readBytes = 0, writtenBytes = 0
        /// Seconds of reading and writing.
        var seconds = 0.0
        var failure: KVError?
    }

    /// - Parameters:
    ///   - heads: of all layers.
    ///   - headsPerSlot: of a group.
    ///   - pages: of a head at most.
    ///   - dimension: elements of a head.
    /// - Throws: ``KVError`` if there is no room.
    init(heads: Int, headsPerSlot: Int, pages: Int, dimension: Int) throws {
        self.headsPerSlot = headsPerSlot
        pageBytes = Self.pageBytes(dimension: dimension)
        headBytes = Self.rounded(pages * pageBytes)
        length = 2 * headsPerSlot * headBytes
        let path = NSTemporaryDirectory() + "/mneme-heads-" + UUID().uuidString
        cold = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard cold >= 0 else {
            throw KVError(.inputOutput, "No file can be made in \(NSTemporaryDirectory()) (\(errnoText())).")
        }
        // It ends with this process, whatever becomes of that.
        unlink(path)
        memory = mnm_memory_file(length)
        let mapped = memory < 0 ? MAP_FAILED : mmap(nil, length, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0)
        guard ftruncate(cold, off_t(heads * headBytes)) == 0, let mapped, mapped != MAP_FAILED else {
            let reason = errnoText()
            close(cold)
            if memory >= 0 { close(memory) }
            throw KVError(.outOfMemory, "There is no room for two groups of heads (\(reason)).")
        }
        base = mapped
    }

    deinit {
        // Nothing is under way: what the queue does keeps this.
        munmap(base, length)
        close(memory)
        close(cold)
    }

    /// Keys and values, halves.
    static func pageBytes(dimension: Int) -> Int { 4 * KVShape.blockTokens * dimension }
    /// Whole pages of the system.
    static func rounded(_ bytes: Int) -> Int {
        let page = Int(getpagesize())
        return (bytes + page - 1) / page * page
    }

    /// What was done until now.
    var done: State { state.withLockedValue { $0 } }
    /// Bytes of memory that the system has given to the slots, counted by it.
    var residentBytes: Int {
        var info = stat()
        return fstat(memory, &info) == 0 ? Int(info.st_blocks) * 512 : length
    }

    /// Where a head's rows are in memory, behind ``base``.
    func offset(slot: Int, head: Int) -> Int { (slot * headsPerSlot + head) * headBytes }

    /// Reads the first `pages` of some heads into a slot, behind all that was asked for before.
    ///
    /// - Parameter group: is left when they are there.
    func read(_ heads: Range<Int>, pages: Int, into slot: Int, _ group: DispatchGroup) {
        group.enter()
        queue.async { [self] in
            for (place, head) in heads.enumerated() {
                transfer(
                    pages * pageBytes, memory: offset(slot: slot, head: place), file: head * headBytes,
                    reads: true)
            }
            group.leave()
        }
    }

    /// Writes some pages of heads of a slot.
    func write(_ heads: Range<Int>, pages: Range<Int>, from slot: Int) {
        queue.async { [self] in
            for (place, head) in heads.enumerated() {
                let start = pages.lowerBound * pageBytes
                transfer(
                    pages.count * pageBytes, memory: offset(slot: slot, head: place) + start,
                    file: head * headBytes + start, reads: false)
            }
        }
    }

    /// Waits until all that was asked for is done.
    func drain() { queue.sync {} }

    /// Cuts the file off, as a disk that fails does; for tests.
    func damage() {
        drain()
        ftruncate(cold, 0)
    }

    private func transfer(_ count: Int, memory: Int, file: Int, reads: Bool) {
        let start = ContinuousClock().now
        var done = 0
        while done < count {
            let rest = count - done
            let moved =
                reads
                ? pread(cold, base + memory + done, rest, off_t(file + done))
                : pwrite(cold, base + memory + done, rest, off_t(file + done))
            if moved < 0, errno == EINTR { continue }
            guard moved > 0 else {
                let reason = moved < 0 ? errnoText() : "the file was cut off"
                let verb = reads ? "read from" : "written to"
                let failure = KVError(
                    .inputOutput, "Keys and values cannot be \(verb) the disk (\(reason)).")
                return state.withLockedValue { $0.failure = $0.failure ?? failure }
            }
            done += moved
        }
        let seconds = (ContinuousClock().now - start) / .seconds(1)
        state.withLockedValue {
            $0.seconds += seconds
            if reads { $0.readBytes += count } else { $0.writtenBytes += count }
        }
    }
}
