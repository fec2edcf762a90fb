public import Foundation
import GRDB
import MnemeBase

/// What the cache holds of a category, and what came of its questions.
public struct CacheStatistics: Sendable, Codable, Equatable {
    /// The category.
    public var category: QuestionCategory
    /// Answers that are kept, and bytes of their texts.
    public var answers = 0, bytes = 0
    /// Questions that were answered by the same one's answer, by a similar one's, with an example,
    /// and not.
    public var exact = 0, similar = 0, examples = 0, misses = 0
    /// The share of questions that the cache answered; 0 without questions.
    public var hitRate: Double {
        let all = exact + similar + examples + misses
        return all == 0 ? 0 : Double(exact + similar) / Double(all)
    }
}

/// Which entries are meant.
public struct CacheSelection: Sendable, Equatable {
    /// Only of this category.
    public var category: QuestionCategory?
    /// Only of this principal, by the name that lists show.
    public var principal: String?
    /// Only of this model.
    public var model: String?
    /// Only with this text in question or answer, whatever its case.
    public var text: String?
    /// Only kept before this time.
    public var before: Date?

    /// All entries.
    public init() {}
}

/// Looking at the cache, taking out of it, and its policies.
extension AnswerCache {
    /// The policies that hold now: the standard ones, and what was set.
    ///
    /// - Throws: `StoreError`.
    public func policies() throws -> CachePolicies {
        var policies = CachePolicies()
        for row in try file.read({ try Row.fetchAll($0, sql: "SELECT category, value FROM policy") }) {
            let (name, text): (String, String) = (
                try row.decode(forColumn: "category"), try row.decode(forColumn: "value")
            )
            guard let category = QuestionCategory(rawValue: name),
                let policy = try? JSONDecoder().decode(CachePolicy.self, from: Data(text.utf8)),
                (try? policy.check()) != nil
            else { continue }
            policies[category] = policy
        }
        return policies
    }

    /// Sets a category's policy; nil gives it the standard one. Running processes follow at once.
    ///
    /// - Throws: `InputError` if a value makes no sense, `StoreError`.
    public func set(_ policy: CachePolicy?, for category: QuestionCategory) throws {
        guard let policy else {
            return try file.write {
                try $0.execute(sql: "DELETE FROM policy WHERE category = ?", arguments: [category.rawValue])
            }
        }
        try policy.check()
        let text = String(decoding: try JSONEncoder().encode(policy), as: UTF8.self)
        try file.write {
            try $0.execute(
                sql: "INSERT OR REPLACE INTO policy VALUES (?, ?)", arguments: [category.rawValue, text])
        }
    }

    /// Entries, the last used first.
    ///
    /// - Throws: `StoreError`.
    public func entries(_ selection: CacheSelection = CacheSelection(), limit: Int = 50) throws -> [CacheEntry] {
        try flush()
        let (condition, arguments) = Self.condition(selection)
        return try file.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT \(CacheEntry.columns) FROM answer WHERE \(condition)
                    ORDER BY used DESC, id DESC LIMIT ?
                    """,
                arguments: StatementArguments(arguments + [max(0, limit).databaseValue])
            ).map(CacheEntry.init)
        }
    }

    /// The entry of a number; nil if there is none.
    ///
    /// - Throws: `StoreError`.
    public func entry(_ id: Int64) throws -> CacheEntry? {
        try flush()
        return try file.read { db in
            try Row.fetchOne(
                db, sql: "SELECT \(CacheEntry.columns) FROM answer WHERE id = ?", arguments: [id]
            ).map(CacheEntry.init)
        }
    }

    /// Erases entries: their bytes are overwritten, in the file and its log.
    ///
    /// - Returns: how many.
    /// - Throws: `StoreError`.
    @discardableResult
    public func erase(_ selection: CacheSelection) throws -> Int {
        let (condition, arguments) = Self.condition(selection)
        let gone = try file.write { db in
            try Int64.fetchAll(
                db, sql: "DELETE FROM answer WHERE \(condition) RETURNING id",
                arguments: StatementArguments(arguments))
        }
        try forget(gone)
        try file.checkpoint()
        return gone.count
    }

    /// Erases one entry; false if there is none of this number.
    ///
    /// - Throws: `StoreError`.
    public func erase(_ id: Int64) throws -> Bool {
        let gone = try file.write { db in
            try Int64.fetchAll(db, sql: "DELETE FROM answer WHERE id = ? RETURNING id", arguments: [id])
        }
        try forget(gone)
        try file.checkpoint()
        return !gone.isEmpty
    }

    /// What is kept and what came of questions, by category.
    ///
    /// - Throws: `StoreError`.
    public func statistics() throws -> [CacheStatistics] {
        try flush()
        var found: [QuestionCategory: CacheStatistics] = [:]
        for category in QuestionCategory.allCases { found[category] = CacheStatistics(category: category) }
        try file.read { db in
            for row in try Row.fetchAll(
                db,
                sql: """
                    SELECT category, count(*) AS answers, sum(length(CAST(question AS BLOB))
                    + length(CAST(body AS BLOB))) AS bytes FROM answer GROUP BY category
                    """)
            {
                let name: String = try row.decode(forColumn: "category")
                guard let category = QuestionCategory(rawValue: name) else { continue }
                found[category]?.answers = try row.decode(forColumn: "answers")
                found[category]?.bytes = try row.decode(forColumn: "bytes")
            }
            for row in try Row.fetchAll(db, sql: "SELECT category, name, value FROM count") {
                let (category, name, value): (String, String, Int) = (
                    try row.decode(forColumn: "category"), try row.decode(forColumn: "name"),
                    try row.decode(forColumn: "value")
                )
                guard let category = QuestionCategory(rawValue: category) else { continue }
                switch CacheFinding.Match(rawValue: name) {
                case .exact: found[category]?.exact = value
                case .similar: found[category]?.similar = value
                case .example: found[category]?.examples = value
                case .miss: found[category]?.misses = value
                case nil: break
                }
            }
        }
        return QuestionCategory.allCases.compactMap { found[$0] }
    }

    /// A selection as a condition and its arguments.
    private static func condition(_ selection: CacheSelection) -> (String, [DatabaseValue]) {
        var parts = ["1"]
        var arguments: [DatabaseValue] = []
        func add(_ part: String, _ values: (any DatabaseValueConvertible)...) {
            parts.append(part)
            arguments += values.map(\.databaseValue)
        }
        if let category = selection.category { add("category = ?", category.rawValue) }
        if let principal = selection.principal { add("principal = ?", principal) }
        if let model = selection.model { add("model = ?", model) }
        if let before = selection.before { add("stored < ?", before.timeIntervalSince1970) }
        if let text = selection.text {
            let pattern = text.lowercased()
            add("(instr(lower(question), ?) > 0 OR instr(lower(body), ?) > 0)", pattern, pattern)
        }
        return (parts.joined(separator: " AND "), arguments)
    }
}
