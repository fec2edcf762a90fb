import MnemeModels
import Testing

@Suite struct TemplateTests {
    private static let messages: JinjaValue = [
        ["role": "system", "content": "Be brief."], ["role": "user", "content": " Hi 'there' "],
        ["role": "assistant", "content": "Hello"],
        ["role": "user", "content": "2 < 3?"],
    ]

    private func render(
        _ text: String,
        _ variables: [String: JinjaValue] = ["messages": messages, "add_generation_prompt": true]
    ) throws -> String {
        try ChatTemplate(text).render(variables)
    }

    @Test(arguments: [
        (
            "{% for m in messages %}{{ m.role }}{% if not loop.last %},{% endif %}{% endfor %}",
            "system,user,assistant,user"
        ),
        (
            "{{ messages[1]['content'] | trim }}|{{ messages[-1].content }}|{{ messages[1:3] | length }}",
            "Hi 'there'|2 < 3?|2"
        ),
        (
            "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
            "4"
        ),
        (
            "{% if tools is defined and tools %}T{% elif messages[0].role == 'system' %}S{% else %}-{% endif %}",
            "S"
        ),
        ("a\n  {% if true %}\nb\n  {% endif %}\nc", "a\nb\nc"),
        ("a {%- if true -%} b {%- endif -%} c", "abc"),
        (
            "{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 * 'ab' if false else 'x' ~ 1 }}",
            "3 -4 2 3.5 x1"
        ),
        (
            "{{ {'a': [1, true, none], 'b': 'q\"'} | tojson }}",
            #"{"a": [1, true, null], "b": "q\""}"#
        ),
        ("{{ [1, 'a', none, {'k': 2.0}] }}", "[1, 'a', None, {'k': 2.0}]"),
        ("{% macro f(x, y=2) %}{{ x }}-{{ y }}{% endmacro %}{{ f(1) }} {{ f(1, y=3) }}", "1-2 1-3"),
        (
            "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | map('trim') | join('; ') }}",
            "Hi 'there'; 2 < 3?"
        ),
        (
            "{{ 'a,b,c'.split(',')[-1] }}{{ ' x '.strip() }}{{ 'Ab'.lower().startswith('a') }}{{ 'x' in 'xyz' }}",
            "cxTrueTrue"
        ),
        (
            "{% for k, v in {'a': 1, 'b': 2}.items() if v > 1 %}{{ k }}{{ loop.index }}{% endfor %}",
            "b1"
        ),
        (
            "{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
            "02"
        ),
        (
            "{{ missing }}{{ missing | default('d') }}{{ missing is none }}{{ none is none }}",
            "dFalseTrue"
        ),
        ("{{ '%s' }}{{ \"it's\" }}{# a comment #}{{ 'a' 'b' }}", "%sit'sab"),
        ("{{ messages[::-1][0].role }}{{ 'abc'[1:] }}{{ 'abc'[-1] }}", "userbcc"),
        ("{% set x %}in{{ 1 }}{% endset %}{{ x | upper }}", "IN1"),
        (
            "{{ 'a,b,c'.split(',', 9223372036854775807) | join('-') }}{{ 'aXa'.replace('X', '', 9223372036854775807) }}",
            "a-b-caa"
        ),
        (
            "{{ 'abc'[::9223372036854775807] }}{{ 'abc'[-9223372036854775807:] }}{{ 'abc'[::-9223372036854775807] }}{{ [1, 2][9223372036854775807] }}",
            "aabcc"
        ),
        ("{{ -9223372036854775807 - 2 }} {{ '9' * 2 }}", "9223372036854775807 99"),
        (
            "{{ {'a': [{}, [], {'b': 1}]} | tojson(indent=2) }}",
            "{\n  \"a\": [\n    {},\n    [],\n    {\n      \"b\": 1\n    }\n  ]\n}"
        ),
    ])
    func `expressions and statements do what Jinja does`(template: String, expected: String) throws {
        #expect(try render(template) == expected)
    }

    @Test func `a ChatML template gives the prompt`() throws {
        let template = """
            {% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
            You are helpful<|im_end|>
            ' }}{% endif %}{{'<|im_start|>' + message['role'] + '
            ' + message['content'] + '<|im_end|>' + '
            '}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
            ' }}{% endif %}
            """
        let prompt = try render(
            template,
            ["messages": [["role": "user", "content": "Hi"]], "add_generation_prompt": true])
        #expect(
            prompt
                == "<|im_start|>system\nYou are helpful<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        )
    }

    @Test(arguments: [
        "{{", "{% if %}", "{% if true %}", "{% for x in %}{% endfor %}", "{{ 1 + }}", "{{ 'a }}",
        "{# x", "{% endif %}",
        "{% unknown %}", "{{ a b }}",
        "{{ [1, }}",
        "{{ 99999999999999999999 }}", "{{ $ }}",
    ])
    func `templates that cannot be read are refused`(template: String) {
        #expect(throws: TemplateError.self) { try ChatTemplate(template) }
    }

    @Test(arguments: [
        "{{ raise_exception('no') }}", "{{ missing.attribute }}", "{{ 1 // 0 }}",
        "{{ 'a' | nonsense }}",
        "{{ 1 is nonsense }}", "{{ 'a'.nonsense() }}",
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ 'a' * 9999999 }}",
        "{% set x = 1 %}{% set x.y = 2 %}", "{{ 'ab' * 9223372036854775807 }}",
        "{{ range(9223372036854775807) }}",
        "{{ range(-9223372036854775807, 9223372036854775807) }}",
        "{% set n = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x.replace('a', n.x) %}{% endfor %}",
        "{% set n = namespace(x=[1, 2]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x=[1, 2]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x=1) %}{% for i in range(100000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x={}) %}{% for i in range(100000) %}{% set n.x = {'a': n.x} %}{% endfor %}{{ n.x | tojson }}",
        "{% set n = namespace(x='a,a') %}{% for i in range(60) %}{% set n.x = n.x.split(',') | join(n.x) %}{% endfor %}",
    ])
    func `templates that fail end in an error`(template: String) {
        #expect(throws: TemplateError.self) { try render(template) }
    }

    @Test func `nesting is bounded`() {
        #expect(throws: TemplateError.self) {
            try render(
                "{{ " + String(repeating: "(", count: 5000) + "1"
                    + String(repeating: ")", count: 5000) + " }}")
        }
        #expect(throws: TemplateError.self) {
            try render(String(repeating: "{% if true %}", count: 5000))
        }
        for part in [
            "+1", ".a", "|string", " is none", "(1)", "[1]", " and 1", " or 1", "~1", "*1", " == 1",
            " in x",
            " not in x",
        ] {
            #expect(throws: TemplateError.self) {
                try render(
                    "{{ 1" + String(repeating: part, count: 1_000_000 / part.utf8.count) + " }}")
            }
        }
        #expect(throws: TemplateError.self) {
            try render(
                "{{ " + String(repeating: "not ", count: 10) + String(repeating: "[", count: 3000))
        }
    }

    @Test(arguments: [
        // What a namespace holds is nested once more in each round.
        "{% set ns = namespace(o=namespace(v=[])) %}{% for i in range(5000) %}{% set ns.o = namespace(v=[ns.o.v]) %}{% endfor %}",
        // Each filter goes over all pairs.
        "{{ range(60000) | unique | length }}",
        "{% set n = range(90000) | list %}{% for i in n %}{% if 'x' in n %}{% endif %}{% endfor %}",
        "{% set n = range(90000) | list %}{% for i in n %}{{ n.index(89999) }}{% endfor %}",
        "{% set n = range(90000) | list %}{% for i in n %}{% set m = n | sort %}{% endfor %}",
        "{% set n = range(90000) | list %}{% for i in n %}{% if n == n %}{% endif %}{% endfor %}",
        "{% set n = range(90000) | list %}{% for i in n %}{% set m = n | map('string') %}{% endfor %}",
        "{% set t = 'ab' * 500000 %}{% for i in range(100000) %}{% if 'ba' * 9000 in t %}{% endif %}{% endfor %}",
        "{% set t = 'ab' * 500000 %}{% for i in range(100000) %}{% set u = t | upper %}{% endfor %}",
    ])
    func `a template that would run without end or nest without bound is refused`(text: String) {
        #expect(throws: TemplateError.self) { try render(text) }
    }
}
