import Foundation
import MnemeStore

/// Bounds of what one memory holds, the same whichever way it comes in: remembered, updated,
/// corrected, imported, or read from a package.
///
/// A text that one way refuses comes in by no other: a package is a text that anybody can write.
enum MemoryLimits {
    /// The longest text, in bytes of UTF-8.
    static let textBytes = 1 << 20
    /// The longest question, in bytes: it is read several ways, while others wait for their answers.
    static let questionBytes = 1 << 16
    /// The longest tags and metadata together, in bytes: each part of a long text carries them.
    static let labelBytes = 1 << 16
    /// The longest speaker, agent, session, source or reference, in bytes.
    static let nameBytes = 1 << 12
    /// The most tags, and the most values of metadata.
    static let labels = 1_000

    // MARK: What a writer chooses

    /// - Throws: `InputError` for a text that is empty, too long or no text.
    static func check(text: String) throws {
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw InputError("There is no text. To remove a memory, forget it.")
        }
        guard text.utf8.count <= textBytes else {
            throw InputError(
                "A text of \(text.utf8.count) bytes is too long; at most \(textBytes) are taken. "
                    + "Import it as a file.")
        }
        guard !text.utf8.contains(0) else {
            throw InputError(
                "The text holds a NUL character. Remove it; is this a binary file?")
        }
    }

    /// - Throws: `InputError` for tags and metadata that are too many or too long.
    static func check(tags: [String], metadata: [String: String]) throws {
        guard tags.count <= labels, metadata.count <= labels else {
            throw InputError(
                "\(tags.count) tags and \(metadata.count) values of metadata are too many; "
                    + "at most \(labels) of each are taken.")
        }
        let texts = tags + metadata.flatMap { [$0.key, $0.value] }
        let size = texts.reduce(0) { $0 + $1.utf8.count }
        guard size <= labelBytes else {
            throw InputError(
                "Tags and metadata of \(size) bytes are too long; at most \(labelBytes) are taken.")
        }
        guard !texts.contains(where: { $0.utf8.contains(0) }) else {
            throw InputError("A tag or value holds a NUL character. Remove it.")
        }
    }

    /// - Parameter names: speaker, agent, session, reference and the like; nil for those left out.
    /// - Throws: `InputError` for one that is too long, or holds a NUL character.
    static func check(names: [String?]) throws {
        for case let name? in names {
            guard name.utf8.count <= nameBytes else {
                throw InputError(
                    "A name of \(name.utf8.count) bytes is too long; at most \(nameBytes) are taken."
                )
            }
            guard !name.utf8.contains(0) else {
                throw InputError("A name holds a NUL character. Remove it.")
            }
        }
    }

    // MARK: What another store says

    /// Seconds from 1970, either way, that calendars count with: about 7,900 years.
    private static let times = -250_000_000_000.0...250_000_000_000.0
    /// Counts of one memory: versions, uses, confirmations, parts.
    private static let counts = 0...1_000_000_000
    /// Seconds that clocks are ahead of UTC; the same bound as where a time is read from a text.
    private static let offsets = -64_800...64_800

    /// - Throws: `InputError` for a time that calendars cannot count with.
    static func check(times dates: [Date]) throws {
        guard dates.allSatisfy({ times.contains($0.timeIntervalSince1970) }) else {
            throw InputError("a time is out of bounds")
        }
    }

    /// Checks all values of a memory that another store, or somebody in its name, has written.
    ///
    /// - Throws: `InputError` for what no store writes: it would not do to calculate with it.
    static func check(_ cube: MemCube) throws {
        try check(text: cube.text)
        try check(tags: cube.tags, metadata: cube.metadata)
        try check(names: [
            cube.scope.tenant, cube.scope.user, cube.scope.agent, cube.scope.session, cube.speaker,
            cube.vouchedBy, cube.provenance.source, cube.provenance.reference,
        ])
        try check(
            times: [cube.eventTime, cube.recordedTime, cube.updatedTime]
                + [cube.expires, cube.validUntil, cube.usage?.last].compactMap(\.self)
                + cube.dates.flatMap { [$0.start, $0.end] })
        let numbers = [
            cube.confirmations, cube.usage?.count, cube.provenance.part, cube.provenance.parts,
        ]
        guard numbers.allSatisfy({ $0.map(counts.contains) ?? true }) else {
            throw InputError("a count is out of bounds")
        }
        guard counts.contains(cube.version), cube.version > 0, cube.priority.isFinite,
            abs(cube.priority) <= 1e15
        else { throw InputError("a version or priority is out of bounds") }
        guard cube.utcOffset.map(offsets.contains) ?? true else {
            throw InputError("an offset of a clock is out of bounds")
        }
        try checkDerived(cube)
    }

    /// Checks derived fields; they are derived anew, but until then they are kept and compared.
    private static func checkDerived(_ cube: MemCube) throws {
        let names = cube.entities + cube.keywords + (cube.caution ?? [])
        let claims = cube.claims.flatMap { [$0.subject, $0.attribute, $0.value] }
        guard cube.claims.count <= 64, cube.dates.count <= 64, names.count <= 2_000 else {
            throw InputError("a list is too long")
        }
        let size = (names + claims + cube.dates.map(\.text)).reduce(0) { $0 + $1.utf8.count }
        guard size <= textBytes else { throw InputError("a list is too long") }
    }

    /// - Throws: `InputError` for a link of an impossible kind or time.
    static func check(kind: String, time: Date) throws {
        guard (1...256).contains(kind.utf8.count), !kind.utf8.contains(0) else {
            throw InputError("a link's kind has 1 to 256 bytes, and no NUL")
        }
        try check(times: [time])
    }
}
