public import Foundation

/// Chat template: the subset of Jinja that published models use to turn messages into a prompt.
///
/// Statements `if`, `for` (with `if`, `else`, `break`, `continue`), `set`, `macro`, `generation`;
/// Python's operators, slices and the methods of strings, lists and dictionaries that templates
/// call; the usual filters and tests; `namespace`, `range`, `raise_exception`, `strftime_now`.
/// Whitespace as with `trim_blocks` and `lstrip_blocks`. Templates come with model files and are
/// not trusted: steps, depth and output are bounded.
///
/// Follows `apply_chat_template` of Hugging Face's `transformers`, which sets those two options and
/// adds `raise_exception`, `strftime_now`, `tojson` without HTML escapes, and `generation`. Not
/// supported are `include`, `extends`, `import`, `call`, `filter`, `with`, `raw`, recursive loops
/// and autoescape. What is not known is an error when it is read or first used; nothing is skipped,
/// because a prompt with a part missing is worse than none.
///
/// Language: https://jinja.palletsprojects.com/en/stable/templates/
public struct ChatTemplate: Sendable {
    /// Statements of the template, in order: read once, rendered many times.
    private let nodes: [JinjaNode]
    /// Macros of the template; a node names one by its position here.
    private let macros: [JinjaMacro]

    /// Reads a template of at most 1 MiB; published ones are a few KiB, and the limit bounds the
    /// memory of tokens and nodes.
    ///
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

    /// Renders the prompt.
    ///
    /// - Parameters:
    ///   - variables: such as `messages`, `tools`, `bos_token` and `add_generation_prompt`.
    ///   - now: the time that `strftime_now` formats; a fixed one makes the same prompt every time.
    /// - Throws: ``TemplateError`` with the template's own message where it raises one, and where
    ///   it goes beyond its limits.
    public func render(_ variables: [String: JinjaValue], now: Date = Date()) throws -> String {
        var evaluator = JinjaEvaluator(macros: macros, now: now, variables: variables)
        return try evaluator.render(nodes)
    }
}
