import MnemeBase
import MnemeNumerics
import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Posting lists on disk: slots of one size, each with the entries of one list.
///
/// A list is changed by writing it to another slot, or by appending behind its last entry; what the
/// last saved table names is never overwritten before the next table is on disk. Whoever reads
/// compares the checksum that the table holds.
final class PostingFile: @unchecked Sendable {
    // Sendable: one writer at a time, by its owner's lock; `slots` has its own.

    /// Where a list lies, and what must be read there.
    struct Place: Equatable {
        /// Its slot; slots are counted from the file's beginning.
        var slot: UInt32 = 0
        /// Entries; 0 for a list that lies nowhere.
        var count: UInt32 = 0
        /// CRC-32C of the entries, in four interleaved parts.
        var checksum = SIMD4<UInt32>()
    }

    /// Bytes that slots are rounded up to, as disks read them.
    static let page = 4096

    /// The file.
    let path: String
    /// Bytes of an entry, and of a slot.
    let stride: Int, slotBytes: Int
    private let descriptor: Int32
    /// Which slots are in use. A slot goes from the present table to `waiting` if the saved table
    /// names it, else to `free`; saving moves all that wait to `free`.
    private struct Slots {
        /// Slots of the file, the free ones among them.
        var count = 0
        /// Slots that neither the saved nor the present table names.
        var free: [UInt32] = []
        /// By slot: whether the last saved table names it; only other ones are used again before
        /// the next is saved.
        var isSaved: [Bool] = []
        /// Named by the last saved table, and no longer by the present one.
        var waiting: [UInt32] = []
        /// Free, with something in them that is gone.
        var dirty: Set<UInt32> = []
    }
    private let slots = NIOLockedValueBox(Slots())

    /// Opens the file, and locks it: tables of two processes would name each other's slots.
    ///
    /// - Parameters:
    ///   - stride: bytes of an entry.
    ///   - entries: entries of a full list, which is what a slot has room for.
    ///   - slotCount: slots that the table names, or nil for a new file; what is behind them is cut
    ///     off.
    ///   - free: slots among those that hold no list.
    /// - Throws: ``IndexError``, also if another process has it open.
    init(path: String, stride: Int, entries: Int, slotCount: Int?, free: [UInt32] = []) throws {
        self.path = path
        self.stride = stride
        slotBytes = (stride * entries + Self.page - 1) / Self.page * Self.page
        descriptor = open(path, O_RDWR | O_CLOEXEC | (slotCount == nil ? O_CREAT : 0), 0o600)
        guard descriptor >= 0 else { throw IndexError(FileError(path, "cannot be opened")) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw IndexError(
                .unavailable,
                "\(path) is in use by another process. A clustered index is changed by one at a time."
            )
        }
        let length = Int(lseek(descriptor, 0, SEEK_END))
        let count = slotCount ?? 0
        guard length >= count * slotBytes else {
            throw IndexError(.corrupt, "\(path) is cut off. Delete it; it is made again.")
        }
        guard ftruncate(descriptor, off_t(count * slotBytes)) == 0 else {
            throw IndexError(FileError(path, "cannot be changed"))
        }
        slots.withLockedValue { slots in
            (slots.count, slots.free) = (count, free)
            slots.isSaved = [Bool](repeating: true, count: count)
            for slot in free { slots.isSaved[Int(slot)] = false }
        }
    }

    deinit { close(descriptor) }

    /// True if the file still lies under its name: somebody may have deleted it.
    var isInPlace: Bool {
        var mine = stat()
        var there = stat()
        return fstat(descriptor, &mine) == 0 && stat(path, &there) == 0
            && mine.st_ino == there.st_ino
            && mine.st_dev == there.st_dev
    }

    /// Bytes on disk.
    var byteCount: Int { slots.withLockedValue { $0.count * slotBytes } }
    /// Slots of the file, the free ones among them.
    var slotCount: Int { slots.withLockedValue { $0.count } }
    /// Slots that will be free once the present table is saved.
    var freeSlots: [UInt32] { slots.withLockedValue { $0.free + $0.waiting } }

    /// Tells the system what will be read, so that it reads all of it side by side.
    func prefetch(_ places: some Sequence<Place>) {
        #if canImport(Glibc)
            for place in places {
                posix_fadvise(
                    descriptor, off_t(Int(place.slot) * slotBytes),
                    off_t(Int(place.count) * stride),
                    POSIX_FADV_WILLNEED)
            }
        #endif
    }

    /// Reads a list into `buffer`; false if it is not what the table says: it has moved, or is
    /// damaged.
    func read(_ place: Place, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
        let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(Int(place.count) * stride)])
        var done = 0
        while done < bytes.count {
            let n = pread(
                descriptor, bytes.baseAddress! + done, bytes.count - done,
                off_t(Int(place.slot) * slotBytes + done))
            if n < 0, errno == EINTR { continue }
            guard n >= 0 else { throw IndexError(FileError(path, "cannot be read")) }
            if n == 0 { return false }
            done += n
        }
        return Self.checksum(UnsafeRawBufferPointer(bytes)) == place.checksum
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> SIMD4<UInt32> {
        bytes.isEmpty ? SIMD4() : SIMD4(Checksum.crc32c(bytes))
    }

    /// Writes all bytes at an offset of the file, in several steps where the system takes fewer.
    private func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < bytes.count {
            let n = pwrite(
                descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if n < 0, errno == EINTR { continue }
            guard n > 0 else { throw IndexError(FileError(path)) }
            done += n
        }
    }

    /// Writes a list to a slot of its own.
    func write(_ entries: UnsafeRawBufferPointer) throws -> Place {
        precondition(entries.count <= slotBytes)
        let slot = slots.withLockedValue { slots in
            if let slot = slots.free.popLast() {
                slots.dirty.remove(slot)
                return slot
            }
            slots.isSaved.append(false)
            slots.count += 1
            return UInt32(slots.count - 1)
        }
        do { try write(entries, at: Int(slot) * slotBytes) } catch {
            slots.withLockedValue { $0.free.append(slot) }
            throw error
        }
        return Place(
            slot: slot, count: UInt32(entries.count / stride), checksum: Self.checksum(entries))
    }

    /// Adds entries behind a list, whose bytes then are `whole`. The slot stays: a saved table
    /// names the entries before, and its checksum is of them alone.
    func append(to place: Place, whole: UnsafeRawBufferPointer) throws -> Place {
        precondition(whole.count <= slotBytes)
        let old = Int(place.count) * stride
        try write(
            UnsafeRawBufferPointer(rebasing: whole[old...]), at: Int(place.slot) * slotBytes + old)
        return Place(
            slot: place.slot, count: UInt32(whole.count / stride), checksum: Self.checksum(whole))
    }

    /// The list is elsewhere now; a slot that the saved table names is used again once the next is
    /// saved.
    func release(_ place: Place) {
        slots.withLockedValue { slots in
            if slots.isSaved[Int(place.slot)] {
                slots.waiting.append(place.slot)
            } else {
                slots.free.append(place.slot)
                slots.dirty.insert(place.slot)
            }
        }
    }

    /// Forgets what the system keeps of the file in memory.
    func dropCaches() {
        fsync(descriptor)
        #if canImport(Glibc)
            posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        #endif
    }

    /// Waits until all is on disk.
    func synchronize() throws {
        // The last slot need not be full.
        guard ftruncate(descriptor, off_t(byteCount)) == 0, fsync(descriptor) == 0 else {
            throw IndexError(FileError(path))
        }
    }

    /// The table is saved: what it does not name is overwritten and used again.
    func tableWasSaved() {
        let gone = slots.withLockedValue { slots in Array(slots.dirty) + slots.waiting }
        let zeros = [UInt8](repeating: 0, count: slotBytes)
        for slot in gone { try? zeros.withUnsafeBytes { try write($0, at: Int(slot) * slotBytes) } }
        slots.withLockedValue { slots in
            slots.free.append(contentsOf: slots.waiting)
            (slots.waiting, slots.dirty) = ([], [])
            slots.isSaved = [Bool](repeating: true, count: slots.count)
            for slot in slots.free { slots.isSaved[Int(slot)] = false }
        }
    }

    /// Copies what the table names to another file; slots that are gone are zeros there, so that
    /// nothing deleted is copied.
    func copy(to other: String) throws {
        let target = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard target >= 0 else { throw IndexError(FileError(other)) }
        defer { close(target) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset = 0
        while offset < byteCount {
            let n = pread(descriptor, &buffer, min(buffer.count, byteCount - offset), off_t(offset))
            guard n > 0, pwrite(target, buffer, n, off_t(offset)) == n else {
                throw IndexError(FileError(other))
            }
            offset += n
        }
        let zeros = [UInt8](repeating: 0, count: slotBytes)
        for slot in slots.withLockedValue({ Array($0.dirty) + $0.waiting }) {
            pwrite(target, zeros, slotBytes, off_t(Int(slot) * slotBytes))
        }
        guard ftruncate(target, off_t(byteCount)) == 0, fsync(target) == 0 else {
            throw IndexError(FileError(other))
        }
    }
}
