import CLibPQ
import Foundation
public import MnemeSeal
import MnemeStore

/// Where a PostgreSQL database is, and how it is asked.
///
/// A URL as libpq reads it: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full`. What it
/// leaves out comes from libpq's own places: the variables `PGHOST`, `PGUSER`, `PGPASSWORD` and
/// others, and the file of passwords (`PGPASSFILE`, `~/.pgpass`, or `?passfile=PATH`). Parameters
/// that begin with `mneme_` are Mneme's: `mneme_schema` (the schema of its tables, `mneme`),
/// `mneme_connections` (of this process, 8), `mneme_timeout` (seconds that a statement may take,
/// 60), `mneme_silence` (seconds without a sign of the database after which another connection asks
/// whether it still works on the statement, 3).
public struct PostgresSettings: Sendable {
    /// The URL for libpq, with the password that it may hold. Never printed.
    let url: String
    /// The URL without password and parameters: for messages.
    public let name: String
    /// The schema of the tables: a name of letters, digits and underscores.
    public var schema = "mneme"
    /// The most connections of this process.
    public var connections = 8
    /// Seconds to connect in, and that a call waits for a connection.
    public var connectTimeout: Double = 10
    /// Seconds that a statement may take.
    public var statementTimeout: Double = 60
    /// Seconds without a byte of an answer after which it is asked whether there will be one.
    public var silence: Double = 3
    /// Seconds that a write waits for the writers of other servers.
    public var lockTimeout: Double = 10
    /// Encrypts what is made of the memories and kept in files on this machine, such as indexes; nil
    /// leaves it open. The database itself is not encrypted.
    public var filesKey: DataKey?
    /// Servers that the URL names: one that cannot be reached leaves time for the others.
    private(set) var hosts = 1
    /// Learns the database's time from every connection.
    let clock = PGClock()

    /// Tells whether a store's name is the URL of a database.
    public static func isURL(_ text: String) -> Bool {
        text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
    }

    /// Reads a URL.
    ///
    /// - Throws: `StoreError` if libpq does not understand it. The message has no password.
    public init(_ text: String) throws {
        guard Self.isURL(text) else {
            throw StoreError(.unavailable, "The URL of a database begins with postgres://.")
        }
        try TextRules.requireStorable([text])
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var own: [String: String] = [:]
        let others = (parts.count > 1 ? parts[1].split(separator: "&") : []).filter { field in
            let pair = field.split(separator: "=", maxSplits: 1).map(String.init)
            guard pair[0].hasPrefix("mneme_") else { return true }
            own[pair[0]] = pair.count > 1 ? pair[1] : ""
            return false
        }
        url = parts[0] + (others.isEmpty ? "" : "?" + others.joined(separator: "&"))
        name = Self.withoutPassword(String(parts[0]))
        hosts = try Self.hosts(url, name)
        for (key, value) in own { try set(key, to: value) }
    }

    /// Sets a parameter of Mneme's own.
    private mutating func set(_ key: String, to value: String) throws {
        func number(_ range: ClosedRange<Int>) throws -> Int {
            guard let number = Int(value), range.contains(number) else {
                throw StoreError(
                    .unavailable,
                    "\(key) of \(name) is a number from \(range.lowerBound) to \(range.upperBound).")
            }
            return number
        }
        switch key {
        case "mneme_schema":
            // It stands in SQL, where names cannot be parameters.
            guard (1...63).contains(value.utf8.count),
                value.utf8.allSatisfy({
                    (97...122).contains($0) || (48...57).contains($0) || $0 == 95
                }), !value.hasPrefix("pg_"), value.utf8.first.map({ $0 > 57 }) ?? false
            else {
                throw StoreError(
                    .unavailable,
                    "mneme_schema of \(name) is a name of small letters, digits and underscores, such as mneme.")
            }
            schema = value
        case "mneme_connections": connections = try number(1...1_000)
        case "mneme_timeout": statementTimeout = Double(try number(1...86_400))
        case "mneme_silence": silence = Double(try number(1...86_400))
        default:
            throw StoreError(
                .unavailable,
                "\(name) has a parameter '\(key.prefix(40))'. There are mneme_schema, mneme_connections, mneme_timeout and mneme_silence."
            )
        }
    }

    /// A URL's part before the parameters, without what stands between user and host.
    private static func withoutPassword(_ text: String) -> String {
        guard let scheme = text.range(of: "://"), let at = text.lastIndex(of: "@"),
            let colon = text[scheme.upperBound..<at].firstIndex(of: ":")
        else { return text }
        return text[..<colon] + String(text[at...])
    }

    /// How many servers a URL names, or the variable `PGHOST` where it names none.
    ///
    /// - Throws: `StoreError` if libpq does not understand the URL. libpq's own message would
    ///   show it whole, with the password.
    private static func hosts(_ url: String, _ name: String) throws -> Int {
        var message: UnsafeMutablePointer<CChar>?
        defer { PQfreemem(message) }
        guard let options = PQconninfoParse(url, &message) else {
            throw StoreError(
                .unavailable,
                "\(name) is not understood. A URL is postgres://USER@HOST:PORT/DATABASE, with signs such as @ or / in its parts written as %40 or %2F."
            )
        }
        defer { PQconninfoFree(options) }
        var lists: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { lists[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        let list = lists["hostaddr"] ?? lists["host"] ?? ProcessInfo.processInfo.environment["PGHOST"] ?? ""
        return list.count { $0 == "," } + 1
    }
}
