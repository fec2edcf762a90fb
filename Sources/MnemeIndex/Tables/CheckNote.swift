import Foundation
import MnemeBase

/// A note beside a file that all of it was read and had its checksums. While the file has not changed
/// since, it need not be read again at each opening, which for a million memories takes longer than
/// the question.
///
/// A file has changed if it is another one (device, inode), or has another length, time of writing or
/// time of change. The note holds for a day: what a disk loses by itself is found then, or by
/// `mneme doctor`.
struct CheckNote: Codable, Equatable {
    private var device: UInt64, inode: UInt64, size: Int64
    /// When it was written and when it was changed in any way, in nanoseconds since 1970.
    private var written: Int64, changed: Int64
    /// When it was read, in seconds since 1970; not part of what is compared.
    private var checked: Double = 0

    /// Seconds for which a note holds.
    private static let validity: Double = 86_400
    /// Seconds that a file has to be left alone before it is read: clocks of file systems are coarse,
    /// and a change that comes right behind another may have the same time.
    private static let settling: Double = 1

    /// A file as it is now; nil if the system does not tell.
    private init?(_ descriptor: Int32) {
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { return nil }
        (device, inode) = (UInt64(information.st_dev), UInt64(information.st_ino))
        size = Int64(information.st_size)
        #if canImport(Darwin)
            let (write, change) = (information.st_mtimespec, information.st_ctimespec)
        #else
            let (write, change) = (information.st_mtim, information.st_ctim)
        #endif
        written = Int64(write.tv_sec) * 1_000_000_000 + Int64(write.tv_nsec)
        changed = Int64(change.tv_sec) * 1_000_000_000 + Int64(change.tv_nsec)
    }

    /// Where the note of a file lies.
    static func path(of file: String) -> String { file + ".checked" }

    /// Tells whether an open file was found sound less than a day ago and has not changed since.
    static func holds(for file: IndexFile) -> Bool {
        guard let now = CheckNote(file.descriptor),
            let data = try? Data(contentsOf: URL(fileURLWithPath: path(of: file.path))),
            var note = try? JSONDecoder().decode(CheckNote.self, from: data),
            (0..<validity).contains(Date().timeIntervalSince1970 - note.checked)
        else { return false }
        note.checked = 0
        return note == now
    }

    /// Notes that an open file was found sound; where the note cannot be written, it is read again.
    ///
    /// - Parameter begun: when its reading began, in seconds since 1970.
    static func write(for file: IndexFile, begun: Double) {
        guard var note = CheckNote(file.descriptor),
            begun - Double(note.changed) / 1e9 >= settling
        else { return }
        note.checked = begun
        guard let data = try? JSONEncoder().encode(note) else { return }
        _ = try? AtomicFile.write(data, to: path(of: file.path), durability: .cache)
    }
}
