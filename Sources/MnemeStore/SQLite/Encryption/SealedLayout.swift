import Foundation

/// The layout of an encrypted file: offsets of the bytes that SQLite writes.
///
/// They are cut as SQLite writes them: a database into pages of 4096 bytes behind a page with
/// the wrapped key, its write-ahead log into the header of
/// 32 bytes, and of each frame the header of 24 and the page. Each of these units is encrypted
/// by itself and so becomes longer.
struct SealedLayout {
    /// The file that SQLite writes: the database, or its write-ahead log. The numbers are part of
    /// what is encrypted.
    enum Kind: UInt8 {
        case pages = 1
        case log = 2
    }

    /// A piece that is encrypted by itself.
    struct Unit: Equatable {
        /// Its number in the file, which it is bound to.
        var number: Int
        /// The offset at which it begins for SQLite, and its bytes there.
        var start: Int, length: Int
        /// The offset in the file.
        var offset: Int

        /// The context that it is encrypted for, see ``DataKey``.
        func context(_ kind: Kind) -> Data {
            withUnsafeBytes(of: UInt64(number).littleEndian) { Data([kind.rawValue]) + $0 }
        }
    }

    /// Bytes of a database page; every store has this size.
    static let page = 4096
    /// Bytes of the log's header and of a frame's (sqlite.org/fileformat2.html, section 4).
    private static let logHeader = 32, frameHeader = 24

    let kind: Kind
    /// Bytes before the first unit.
    let head: Int
    /// Bytes that each unit grows by.
    let overhead: Int

    /// Bytes of a frame of the log, for SQLite.
    private var frame: Int { Self.frameHeader + Self.page }

    /// The unit that holds the byte at an offset that SQLite knows.
    func unit(at offset: Int) -> Unit {
        switch kind {
        case .pages:
            let number = offset / Self.page
            return Unit(
                number: number, start: number * Self.page, length: Self.page,
                offset: head + number * (Self.page + overhead))
        case .log:
            guard offset >= Self.logHeader else {
                return Unit(number: 0, start: 0, length: Self.logHeader, offset: head)
            }
            let number = (offset - Self.logHeader) / frame
            let start = Self.logHeader + number * frame
            let fileOffset = head + Self.logHeader + overhead + number * (frame + 2 * overhead)
            return offset < start + Self.frameHeader
                ? Unit(number: 2 * number + 1, start: start, length: Self.frameHeader, offset: fileOffset)
                : Unit(
                    number: 2 * number + 2, start: start + Self.frameHeader, length: Self.page,
                    offset: fileOffset + Self.frameHeader + overhead)
        }
    }

    /// Tells whether a log's frame begins at `offset`, so that who reads on looks through the log
    /// after a crash.
    func isFrame(at offset: Int) -> Bool {
        kind == .log && offset >= Self.logHeader && (offset - Self.logHeader) % frame == 0
    }

    /// Bytes of a file that holds so many for SQLite.
    func fileSize(of size: Int) -> Int {
        guard size > 0 else { return kind == .pages ? head : 0 }
        let last = unit(at: size - 1)
        return last.offset + last.length + overhead
    }

    /// Bytes for SQLite in a file of this size; what was begun at its end does not count.
    func size(of fileSize: Int) -> Int {
        switch kind {
        case .pages: max(0, fileSize - head) / (Self.page + overhead) * Self.page
        case .log:
            if fileSize < head + Self.logHeader + overhead {
                0
            } else {
                logSize(of: fileSize - head - Self.logHeader - overhead)
            }
        }
    }

    /// Bytes for SQLite of a log with so many bytes behind its header; a frame whose page is
    /// missing counts with its header alone.
    private func logSize(of frames: Int) -> Int {
        let stride = frame + 2 * overhead
        let rest = frames % stride
        return Self.logHeader + frames / stride * frame
            + (rest >= Self.frameHeader + overhead ? Self.frameHeader : 0)
    }
}
