public import Foundation

/// A chat template: the subset of Jinja that published models use to turn messages into a prompt.
///
/// Statements `if`, `for` (with `if`, `else`, `break`, `continue`), `set`, `macro`, `generation`;
/// Python's operators, slices and the methods of strings, lists and dictionaries that templates
/// call; the usual filters and tests; `namespace`, `range`, `raise_exception`, `strftime_now`.
/// Whitespace as with `trim_blocks` and `lstrip_blocks`. Templates come with model files and are
/// not trusted: steps, depth and output are bounded.
///
/// Language: https://jinja.palletsprojects.com/en/stable/templates/
public struct ChatTemplate: Sendable {
    private let nodes: [JinjaNode]
    private let macros: [JinjaMacro]

    /// - Throws: ``TemplateError`` if the text cannot be read.
    public init(_ text: String) throws {
        guard text.utf8.count <= 1 << 20 else {
            throw TemplateError("The chat template is longer than a MiB.")
        }
        var lexer = JinjaLexer(text)
        var parser = JinjaParser(try lexer.run())
        nodes = try parser.template()
        macros = parser.macros
    }

    /// The prompt.
    ///
    /// - Parameter variables: such as `messages`, `tools`, `bos_token` and `add_generation_prompt`.
    /// - Throws: ``TemplateError`` with the template's own message where it raises one.
    public func render(_ variables: [String: JinjaValue], now: Date = Date()) throws -> String {
        var evaluator = JinjaEvaluator(macros: macros, now: now, variables: variables)
        return try evaluator.render(nodes)
    }
}
