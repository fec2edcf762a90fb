import Foundation
import Hummingbird
import Mneme
import MnemeBase
import MnemeStore

/// A request to a ``WireRoute`` whose caller may make it.
struct WireRequest: Sendable {
    /// The caller.
    let caller: Caller
    /// The members of the body and the items of the query.
    let fields: JSONFields
    /// The body as it was sent: a schema's members keep their order.
    let text: String
    /// Parts of the path by their names in the route, decoded.
    private let parts: [String: String]

    /// Reads body, query and path of a request.
    ///
    /// - Parameter parameters: what stands in the path, percent-encoded.
    /// - Throws: `InputError` if an item of the query is given twice, or in the body, too.
    init(
        _ caller: Caller, body: [UInt8], query: String?, parameters: Parameters
    ) throws {
        self.caller = caller
        var members = try JSONValue.object(body)
        for (name, value) in try QueryString.items(query ?? "") {
            guard members.updateValue(.string(value), forKey: name) == nil else {
                throw InputError("'\(name.prefix(60))' is given twice.")
            }
        }
        fields = JSONFields(members)
        text = String(decoding: body, as: UTF8.self)
        parts = Dictionary(
            parameters.map {
                (String($0.key), String($0.value).removingPercentEncoding ?? String($0.value))
            }
        ) { $1 }
    }

    /// The body with its members in their order; null if there is none.
    ///
    /// - Throws: `InputError`.
    func ordered() throws -> OrderedJSON {
        do { return text.isEmpty ? .null : try OrderedJSON(text) } catch {
            throw InputError("This is not JSON. \(error)")
        }
    }

    /// A part of the path by its name in the route.
    ///
    /// - Throws: `InputError` if it holds a NUL character.
    func part(_ name: String) throws -> String {
        let text = parts[name] ?? ""
        guard !text.utf8.contains(0) else {
            throw InputError("The path must not hold a NUL character.")
        }
        return text
    }
}

extension JSONValue {
    /// The members of the object that a request's body is; none if it is empty.
    ///
    /// - Throws: `InputError` for anything else.
    static func object(_ body: [UInt8]) throws -> [String: JSONValue] {
        if body.isEmpty { return [:] }
        guard let object = try JSONValue(parsing: body).object else {
            throw InputError("The request's body must be a JSON object.")
        }
        return object
    }
}
