import MnemeEngine
import MnemeModels
import Testing

@Suite struct ChatFormTests {
    private static let alternates =
        "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"

    private static func loop(_ check: String = "", before: String = "") -> String {
        before + "{% for m in messages %}" + check
            + "[{{ m['role'] }}]{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    }

    /// Templates of the published kinds.
    private static let gemma2 = loop(
        alternates,
        before:
            "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    )
    private static let mistral = loop(
        "{% if m.role not in ['user', 'assistant'] %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}"
            + alternates)
    private static let first = loop(
        "{% if m.role == 'system' and not loop.first %}{{ raise_exception('System message must be at the beginning.') }}{% endif %}"
    )
    /// Says nothing, and leaves out what it does not know.
    private static let silent =
        "{% for m in messages %}{% if m.role == 'user' %}U:{{ m.content }}{% elif m.role == 'assistant' %}A:{{ m.content }}{% endif %}{% endfor %}"
    /// A system message and then turns that alternate, as Llama 2's.
    private static let llama2 =
        "{% if messages[0].role == 'system' %}[system]{{ messages[0].content }}{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}"
        + loop(alternates).replacing("in messages", with: "in turns")

    private func prompt(_ template: String, _ messages: [(String, String)]) throws -> String {
        try ChatForm(template, begin: "<s>", end: "</s>").prompt(
            messages.map { ChatMessage(role: $0.0, content: $0.1) })
    }

    @Test func `templates that take all get what was said`() throws {
        let form = try ChatForm(Self.loop(), begin: "", end: "")
        #expect(form.system == .anywhere && form.takesRuns)
        #expect(
            try prompt(
                Self.loop(),
                [("system", "S"), ("user", "a"), ("user", "b"), ("system", "T"), ("user", "c")])
                == "[system]S[user]a[user]b[system]T[user]c[assistant]")
    }

    @Test(arguments: [gemma2, mistral])
    func `a system message is told in the user's where the template refuses it`(template: String)
        throws
    {
        let form = try ChatForm(template, begin: "", end: "")
        #expect(form.system == .nowhere && !form.takesRuns)
        #expect(
            try prompt(template, [("system", "S"), ("user", "a")]) == "[user]S\n\na[assistant]")
        #expect(
            try prompt(
                template,
                [
                    ("system", "S"), ("system", "T"), ("user", "a"), ("assistant", "b"),
                    ("system", "U"), ("user", "c"),
                ])
                == "[user]S\n\nT\n\na[assistant]b[user]U\n\nc[assistant]")
        #expect(
            try prompt(
                template,
                [
                    ("user", "a"), ("user", "b"), ("assistant", "c"), ("assistant", "d"),
                    ("user", "e"),
                ])
                == "[user]a\n\nb[assistant]c\n\nd[user]e[assistant]")
        // Nobody said anything after it.
        #expect(try prompt(template, [("system", "S")]) == "[user]S[assistant]")
        #expect(
            try prompt(template, [("user", "a"), ("assistant", "b"), ("system", "S")])
                == "[user]a[assistant]b[user]S[assistant]")
    }

    @Test func `a system message that would be left out is told in the user's`() throws {
        #expect(
            try prompt(Self.silent, [("system", "S"), ("user", "a"), ("assistant", "b")])
                == "U:S\n\naA:b")
    }

    @Test func `system messages that come late are told in the next message of the user`() throws {
        #expect(
            try prompt(
                Self.first,
                [("system", "S"), ("system", "T"), ("user", "a"), ("system", "U"), ("user", "b")])
                == "[system]S\n\nT[user]a[user]U\n\nb[assistant]")
    }

    @Test func `a system message stays where only turns must alternate`() throws {
        let form = try ChatForm(Self.llama2, begin: "", end: "")
        #expect(form.system == .first && !form.takesRuns)
        #expect(
            try prompt(Self.llama2, [("system", "S"), ("user", "a"), ("user", "b")])
                == "[system]S[user]a\n\nb[assistant]")
    }

    @Test func `where nothing helps, the template's own words are the error`() throws {
        let error = #expect(throws: TemplateError.self) {
            try prompt(Self.gemma2, [("assistant", "a"), ("user", "b")])
        }
        #expect(
            error?.description
                == "Conversation roles must alternate user/assistant/user/assistant/...")
        let refusal = #expect(throws: TemplateError.self) {
            try prompt("{{ raise_exception('never') }}", [("system", "a"), ("user", "b")])
        }
        #expect(refusal?.description == "never")
        #expect(throws: TemplateError.self) { try ChatForm("{{", begin: "", end: "") }
    }

    @Test func `what a model is called does not matter, and its tokens stand in the prompt`() throws {
        #expect(
            try prompt(
                "{{ bos_token }}" + Self.gemma2 + "{{ eos_token }}",
                [("system", "S"), ("user", "a")])
                == "<s>[user]S\n\na[assistant]</s>")
    }
}
