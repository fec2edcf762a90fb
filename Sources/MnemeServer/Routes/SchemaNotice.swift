import HTTPTypes
import Hummingbird
import Mneme
import MnemeEngine

/// Tells a client which keywords of its schema were left to the model, as they cannot be kept while
/// an answer is written.
enum SchemaNotice {
    /// The header that names them, set apart by commas.
    static let header = "X-Mneme-Schema-Ignored"

    /// Names that one header has at most.
    private static let most = 20

    /// The header's value; nil if all is kept. Keywords are a client's own words: what a header
    /// cannot hold is left out.
    ///
    /// - Parameters:
    ///   - schema: of the answer's text.
    ///   - tools: those whose arguments may be written.
    static func value(_ schema: JSONSchema?, _ tools: [ToolDefinition] = []) -> String? {
        let schemas = (schema.map { [$0] } ?? []) + tools.map(\.schema)
        var ignored: [String] = []
        for keyword in schemas.flatMap(\.ignored) where !ignored.contains(keyword) {
            ignored.append(keyword)
        }
        guard !ignored.isEmpty else { return nil }
        return ignored.prefix(most).map { keyword in
            let plain = keyword.unicodeScalars.filter {
                $0.isASCII && ($0.properties.isAlphabetic || "0123456789$_-.".contains(Character($0)))
            }
            return String(String.UnicodeScalarView(plain.prefix(60)))
        }.filter { !$0.isEmpty }.joined(separator: ", ")
    }

    /// The header as the OpenAPI document describes it.
    static let description: JSONValue = [
        header: [
            "description": .string(
                "Keywords of the schemas of the answer and of tools that were left to the model, "
                    + "set apart by commas: not, if. Missing if the answer is sure to fit."),
            "schema": ["type": "string"],
        ]
    ]
}

extension Response {
    /// The same answer, with the header of ``SchemaNotice`` if there is something to tell.
    func noticing(_ schema: JSONSchema?, _ tools: ToolSet? = nil) -> Response {
        guard let value = SchemaNotice.value(schema, tools?.callable ?? []),
            let name = HTTPField.Name(SchemaNotice.header)
        else { return self }
        var response = self
        response.headers[name] = value
        return response
    }
}
