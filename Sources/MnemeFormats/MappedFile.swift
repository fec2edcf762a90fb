import Foundation
import MnemeBase

/// A whole file, mapped read-only into memory: its pages are read when they are touched, and the
/// system may take them back at any time.
///
/// If another process truncates the file while it is mapped, reading past its new end is fatal;
/// model folders are written once and never changed in place.
public final class MappedFile: @unchecked Sendable {
    // Sendable: the mapping is read-only and lives as long as the object.
    private let base: UnsafeRawPointer?
    /// Bytes of the file.
    public let count: Int
    /// The path it was opened by.
    public let path: String

    /// - Throws: `ModelError` if the file is absent or cannot be mapped.
    public init(path: String) throws {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ModelError(.missingFile, "Cannot open \(path): \(errnoText()).")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw ModelError(.invalidFile, "\(path) is not a regular file.")
        }
        count = Int(status.st_size)
        // An empty file cannot be mapped.
        guard count > 0 else {
            base = nil
            return
        }
        guard let mapping = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0),
            mapping != MAP_FAILED
        else {
            throw ModelError(.invalidFile, "Cannot map \(path) into memory: \(errnoText()).")
        }
        base = UnsafeRawPointer(mapping)
    }

    // Readers hold the object, so that no pointer outlives the mapping.
    deinit {
        if let base { munmap(UnsafeMutableRawPointer(mutating: base), count) }
    }

    /// Gives the pages back that reading has brought in; they come again when they are read again.
    package func discardPages() {
        if let base { madvise(UnsafeMutableRawPointer(mutating: base), count, MADV_DONTNEED) }
    }

    /// The file's bytes; valid while the object lives.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
}
