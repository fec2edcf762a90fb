import Foundation
import Mneme

/// Items of a query string as forms and `URLSearchParams` write them: a space is a plus, a plus is
/// `%2B`.
enum QueryString {
    /// The items of a query, in their order.
    ///
    /// - Throws: `InputError` if an item is no percent-encoded UTF-8.
    static func items(_ query: String) throws -> [(name: String, value: String)] {
        try query.split(separator: "&").map { item in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (try decoded(parts[0]), parts.count > 1 ? try decoded(parts[1]) : "")
        }
    }

    private static func decoded(_ text: Substring) throws -> String {
        guard let decoded = text.replacing("+", with: " ").removingPercentEncoding else {
            throw InputError("'\(text.prefix(60))' in the query is no percent-encoded UTF-8.")
        }
        return decoded
    }
}
