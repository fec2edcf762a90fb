import HTTPTypes
import Hummingbird
import Mneme

/// Tells a client which of the tools that it offers are left out, as the model's provider would run
/// them.
enum ToolNotice {
    /// The header that names their types, set apart by commas.
    static let header = "X-Mneme-Tools-Ignored"
    /// Types that the header names at most.
    private static let most = 20

    /// The header's value; nil if none is left out.
    static func value(_ types: [String]) -> String? {
        let plain = types.prefix(most).map { type in
            String(
                type.unicodeScalars.filter { $0.isASCII && $0.value > 32 && $0 != "," }.prefix(60).map(Character.init))
        }
        return plain.isEmpty ? nil : plain.joined(separator: ", ")
    }

    /// The header as the OpenAPI document describes it.
    static let description: JSONValue = [
        header: [
            "description": "Types of tools that were left out: web_search. Missing if none was.",
            "schema": ["type": "string"],
        ]
    ]
}

extension Response {
    /// The same answer, with the header of ``ToolNotice`` if tools were left out.
    func noticing(leftOut types: [String]) -> Response {
        guard let value = ToolNotice.value(types), let name = HTTPField.Name(ToolNotice.header) else {
            return self
        }
        var response = self
        response.headers[name] = value
        return response
    }
}
