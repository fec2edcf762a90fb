import Mneme
import MnemeBase
import MnemeEngine

/// Tools as OpenAI's clients define them: a name, a description and the schema of the arguments.
/// Ollama's have the same form.
enum FunctionTool {
    /// A tool's definition from a function as OpenAI's clients write it.
    ///
    /// - Parameters:
    ///   - function: the object with `name`, `description`, `parameters` and `strict`.
    ///   - written: the same with its members in their order, as a model fills them in.
    ///   - path: names it in errors.
    /// - Throws: `InputError`, `EngineError`.
    static func definition(
        _ function: JSONValue, written: OrderedJSON, _ path: String
    ) throws -> ToolDefinition {
        let fields = JSONFields(function.object ?? [:], path: path)
        guard let name = try fields.text("name") else {
            throw InputError("'\(path).name' is missing: the function's name.")
        }
        guard try fields.fields("parameters") != nil, let parameters = written["parameters"] else {
            return try ToolDefinition(
                name: name, description: try fields.text("description") ?? "",
                isStrict: try fields.flag("strict") ?? false)
        }
        return try ToolDefinition(
            name: name, description: try fields.text("description") ?? "", parameters: parameters,
            isStrict: try fields.flag("strict") ?? false)
    }
}
