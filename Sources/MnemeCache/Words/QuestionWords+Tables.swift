/// The words that ``QuestionWords`` knows.
///
/// They are closed classes of English: pronouns, auxiliary verbs, prepositions, words that ask. A
/// word that is missing here is taken for one that carries meaning, which costs a hit and never
/// gives a wrong answer; so a word is added only if no question changes by it.
extension QuestionWords {
    private static func set(_ words: String) -> Set<String> {
        Set(words.split(whereSeparator: \.isWhitespace).map(String.init))
    }

    /// What stands before a question and does not belong to it, with spaces around.
    static let openers: [String] = """
        please;hi;hello;hey;ok;okay;so;well;thanks;um;uh;also;now;just;quick question;kindly
        tell me;tell us;give me;show me;help me understand;let me know;remind me;can anyone tell me
        can someone tell me;does anyone know;does anybody know;do you know;do you happen to know
        i want to know;i need to know;i would like to know;i would love to know;i am curious
        i am wondering;i was wondering;i wonder;any idea;i have a question;one question
        """.split(whereSeparator: { $0 == ";" || $0 == "\n" })
        .map { " " + $0.trimmingPrefix(" ") + " " }

    /// Verbs of a request: "could you tell me".
    static let asksFor = set("can could would will")
    /// What is requested in that form.
    static let requested = set("please kindly tell give show help let remind explain describe define")

    /// Words that say what kind of answer is wanted.
    static let asking: [String: Kind] = [
        "who": .who, "whom": .who, "whose": .who, "when": .when, "where": .place, "what": .what,
        "which": .what, "why": .why, "how": .how,
    ]

    /// Verbs that a question begins with whose answer is yes or no.
    static let verbs = set(
        """
        is are was were am do does did can could will would shall should may might must has have had
        """)

    /// Verbs that ask what something is.
    static let describing = set("explain describe")

    /// Verbs that ask for something to be done.
    static let tasks = set(
        """
        write translate summarize summarise list generate create make convert calculate compute
        compare draw suggest recommend name find show fix rewrite draft
        """)

    /// Words that turn a statement round.
    static let negating = set(
        "not no never without none nobody nothing neither nor non except unless hardly")

    /// Words of direction: what stands behind them cannot change places with what stands before.
    static let directing = set(
        "from to into than by before after over under until since through via against")

    /// Whom a possessive means, and pronouns of others.
    static let owner: [String: Int] = [
        "my": 1, "mine": 1, "our": 1, "ours": 1, "your": 2, "yours": 2, "he": 3, "him": 3,
        "his": 3, "she": 4, "her": 4, "hers": 4, "they": 5, "them": 5, "their": 5, "theirs": 5,
    ]
    /// Who speaks, and who is spoken to.
    static let speaker: [String: Int] = ["i": 1, "me": 1, "we": 1, "us": 1, "you": 2]

    /// What modal verbs ask of somebody.
    static let modal: [String: String] = [
        "can": "can", "could": "can", "may": "may", "might": "may", "should": "should",
        "must": "must", "shall": "should", "will": "will", "would": "would",
    ]

    /// Words that carry no meaning of their own in a question, or whose meaning is read elsewhere.
    /// Quantities ("all", "most"), comparisons and adverbs of time are none of them, nor are words
    /// that say how an answer should look ("briefly").
    static let empty = set(
        """
        a an the of in on at for with from to into than by and or is are was were am be been being
        do does did done can could will would shall should may might must has have had having i me
        my mine you your yours we us our ours he him his she her hers it its they them their theirs
        one someone somebody anyone this that these those there here if so please know about just
        exactly actually really ever also some any s thanks thank wonder wondering curious need
        want kindly quickly simply what which who whom whose when where why how precisely let not
        no never without none nobody nothing neither nor explain describe as between through via
        """)

    /// Short forms.
    static let contracted: [String: [String]] = {
        var forms: [String: [String]] = [
            "can't": ["can", "not"], "cannot": ["can", "not"], "won't": ["will", "not"],
            "shan't": ["shall", "not"], "whats": ["what", "is"], "im": ["i", "am"],
            "dont": ["do", "not"], "cant": ["can", "not"], "i'm": ["i", "am"],
            "let's": ["let", "us"],
        ]
        for word in "what who where when how why it that there he she".split(separator: " ") {
            forms[word + "'s"] = [String(word), "is"]
        }
        for word in "i you we they he she it".split(separator: " ") {
            for (short, long) in [("d", "would"), ("ve", "have"), ("ll", "will"), ("re", "are")] {
                forms[word + "'" + short] = [String(word), long]
            }
        }
        let verbs = "is are was were do does did should could would have has had must need"
        for word in verbs.split(separator: " ") { forms[word + "n't"] = [String(word), "not"] }
        return forms
    }()

    /// Words for numbers, months and days, as they are compared.
    static let numbers: [String: String] = {
        var table: [String: String] = [:]
        func name(_ words: String, from first: Int, _ form: (Int) -> String) {
            for (place, word) in words.split(whereSeparator: \.isWhitespace).enumerated() {
                table[String(word)] = form(first + place)
            }
        }
        // "one" is a pronoun too, "may" a verb, "march" a walk.
        name("two three four five six seven eight nine ten eleven twelve", from: 2) { "\($0)" }
        name("thirteen fourteen fifteen sixteen seventeen eighteen nineteen", from: 13) { "\($0)" }
        name("twenty thirty forty fifty sixty seventy eighty ninety", from: 2) { "\($0 * 10)" }
        name("first second third fourth fifth sixth seventh eighth ninth tenth", from: 1) { "#\($0)" }
        name("april", from: 4) { "month \($0)" }
        name("june july august september october november december", from: 6) { "month \($0)" }
        name("january february", from: 1) { "month \($0)" }
        for word in ["jan", "feb", "apr", "aug", "sept", "oct", "nov", "dec"] {
            table[word] = table.first { $0.key.count > 4 && $0.key.hasPrefix(word) }?.value
        }
        for (word, value) in [
            ("hundred", "100"), ("thousand", "1000"), ("million", "1e6"), ("billion", "1e9"),
            ("half", "1/2"), ("quarter", "1/4"), ("dozen", "12"), ("twice", "2"), ("double", "2"),
        ] {
            table[word] = value
        }
        let days = "monday tuesday wednesday thursday friday saturday sunday today tomorrow"
        for word in days.split(separator: " ") { table[String(word)] = String(word) }
        for word in ["yesterday", "tonight", "zero"] { table[word] = word }
        return table
    }()
}
