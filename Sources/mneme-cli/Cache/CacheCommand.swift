import ArgumentParser
import Foundation
import MnemeBase
import MnemeCache

/// `mneme cache`: the answers that `mneme proxy` keeps, and how freely each category of questions is
/// answered from them.
///
/// For whoever runs the proxy: who can read the cache's file needs no key. A running proxy sees
/// changes at once.
struct CacheCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache",
        abstract: "Look at the answers that `mneme proxy` keeps, erase them, and set how they are reused.",
        discussion: """
            Answers lie in $MNEME_HOME/cache.db, encrypted if there is an encryption key. Questions have a category (live, personal, code, math, task, \
            fact, other), and each category a policy: the least similarity, the time to live, a quota for each key, and what similar questions get. \
            mneme cache eval measures policies on a file of questions.
            """,
        subcommands: [List.self, Show.self, Clear.self, Stats.self, Set.self, Eval.self],
        defaultSubcommand: Stats.self)
}

extension Home {
    /// The answers that the proxy keeps.
    static var cache: String { folder + "/cache.db" }
}

/// The cache's file.
struct CacheFileOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The cache's file (default: $MNEME_HOME/cache.db).", valueName: "file"))
    var cache: String?

    /// The path of the file.
    var path: String { cache ?? Home.cache }

    /// The cache without an embedder, to look at it and change it.
    ///
    /// - Throws: `InputError` if there is none, `StoreError`, `SealError`.
    func open() throws -> AnswerCache {
        guard FileManager.default.fileExists(atPath: path) else {
            throw InputError("There is no cache at \(path) yet: `mneme proxy` makes it.")
        }
        return try AnswerCache(path: path, key: Home.encryptionKey())
    }
}

/// Which entries a command means.
struct CacheSelectionOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only this category.", valueName: "name"), transform: { try choice($0) })
    var category: QuestionCategory?
    @Option(help: ArgumentHelp("Only of this key, as `list` names it: key:NAME.", valueName: "name"))
    var principal: String?
    @Option(help: "Only answers of this model.") var model: String?
    @Option(help: ArgumentHelp("Only with this text in question or answer.", valueName: "text"))
    var matching: String?
    @Option(help: ArgumentHelp("Only kept longer ago than this: 90s, 30m, 12h, 7d.", valueName: "time"))
    var olderThan: Age?

    /// True if nothing is left out.
    var isAll: Bool {
        category == nil && principal == nil && model == nil && matching == nil && olderThan == nil
    }

    /// The selection.
    var selection: CacheSelection {
        var selection = CacheSelection()
        (selection.category, selection.principal, selection.model) = (category, principal, model)
        selection.text = matching
        selection.before = olderThan.map { Date().addingTimeInterval(-$0.seconds) }
        return selection
    }
}

/// A time such as `90s`, `30m`, `12h` or `7d`.
struct Age: ExpressibleByArgument {
    let seconds: Double

    init?(argument: String) {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        let unit = argument.last.flatMap { units[$0] }
        guard let value = Double(unit == nil ? argument[...] : argument.dropLast()), value.isFinite, value >= 0
        else { return nil }
        seconds = value * (unit ?? 1)
    }

    /// A number of seconds in the largest unit that fits.
    static func text(_ seconds: Double) -> String {
        for (name, unit) in [("d", 86_400.0), ("h", 3_600), ("m", 60)]
        where seconds >= unit && seconds.truncatingRemainder(dividingBy: unit) == 0 {
            return "\(Int(seconds / unit))\(name)"
        }
        return "\(Int(seconds.rounded()))s"
    }
}

/// A word of an option as one of a list.
///
/// - Throws: `ValidationError` that lists what there is.
func choice<Value: RawRepresentable & CaseIterable>(_ text: String) throws -> Value where Value.RawValue == String {
    guard let value = Value(rawValue: text) else {
        throw ValidationError("It is one of \(Value.allCases.map(\.rawValue).joined(separator: ", ")).")
    }
    return value
}
