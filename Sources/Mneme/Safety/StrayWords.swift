/// Vocabulary of ``StrayRequests``, English alone, in lower case and without apostrophes: data and no logic.
enum StrayWords {
    /// What one asks a writer, a translator or a program for, as the first word of a sentence.
    static let tasks = set(
        """
        write compose draft describe explain translate summarize summarise paraphrase rewrite rephrase generate create
        develop produce provide give list name show tell outline define discuss compare contrast analyze analyse calculate
        compute solve convert classify categorize identify design propose suggest recommend recite sing invent imagine
        pretend answer respond reply output print display repeat spell count sort rank rate evaluate estimate
        predict simulate implement illustrate elaborate demonstrate teach narrate render break scramble misspell jumble rearrange capitalize encode encrypt replace
        """)
    /// Words before the first one of a request.
    static let openers = set(
        "please now then also next finally additionally furthermore first and but kindly just can could would will you")
    /// Names of what a model gives back.
    static let answers = set("answer answers response responses reply replies output outputs summary summaries")
    /// What is done to an answer.
    static let edits = set(
        """
        add include insert append integrate incorporate modify replace substitute use introduce augment enhance suggest
        remove omit combine mention emphasize promote end begin start finish conclude group anagram make keep
        """)
    /// First words of a question.
    static let questions = set("what whats who whom whose which why how when where can")
    /// Words of people who write to one another, and of what was spoken of before.
    static let people = set(
        """
        i me my mine im ive id ill we us our ours were weve you your yours youre youve he him his she her hers they them
        their it its this that these those here there today tomorrow yesterday
        """)
    /// Words of a request that tell nothing of what it is about.
    static let all = tasks.union(answers).union(edits).union(questions).union([
        "way", "sentence", "example", "following", "using",
    ])

    private static func set(_ words: String) -> Set<String> {
        Set(words.split(whereSeparator: \.isWhitespace).map(String.init))
    }
}
