/// Words for what people do.
enum ActionWords {
    /// Past forms and participles that no rule makes, with the form in which the verb stands in a dictionary.
    static let irregular: [String: String] = {
        var forms: [String: String] = [:]
        for line in table.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            for form in words.dropFirst() where form != words[0] { forms[form] = words[0] }
        }
        return forms
    }()
    /// Words that can be a verb's past form or participle, without those that end in -ed.
    static let pastForms: Set<String> = Set(irregular.keys).union(["read", "cut", "put", "let", "hit", "beat"])

    private static let table = """
        run ran
        go went gone
        buy bought
        pay paid
        spend spent
        read read
        meet met
        see saw seen
        swim swam swum
        fly flew flown
        drive drove driven
        ride rode ridden
        take took taken
        have had has
        make made
        do did done does
        get got gotten
        give gave given
        eat ate eaten
        drink drank drunk
        write wrote written
        sleep slept
        find found
        lose lost
        win won
        sell sold
        send sent
        tell told
        come came
        begin began begun
        catch caught
        teach taught
        bring brought
        think thought
        feel felt
        leave left
        hear heard
        break broke broken
        build built
        sing sang sung
        wear wore worn
        speak spoke spoken
        grow grew grown
        throw threw thrown
        draw drew drawn
        bind bound
        forget forgot forgotten
        choose chose chosen
        fall fell fallen
        say said
        hold held
        lend lent
        """

    /// What a verb tells of, by its stem. Other verbs tell of what their stem says.
    static let verbs: [String: String] = byStem([
        "run": ["run", "jog"], "swim": ["swim"], "cycle": ["cycle", "bike", "ride"],
        "walk": ["walk", "hike", "stroll"], "buy": ["buy", "purchase", "pay", "spend", "order"],
        "read": ["read"], "watch": ["watch"], "meet": ["meet"], "work": ["work"],
        "practise": ["practise", "practice"], "travel": ["travel", "fly", "drive", "visit"],
        "attend": ["attend"],
    ])
    /// What a noun tells of, by its stem.
    static let nouns: [String: String] = byStem([
        "run": ["run", "jog", "marathon"], "swim": ["swim"], "cycle": ["ride"], "walk": ["walk", "hike"],
        "travel": ["trip", "journey", "flight", "travel"], "buy": ["purchase"],
    ])
    /// Verbs that leave it to a noun to say what was done: "went for a run", "made a trip".
    static let lightVerbs = stems(["go", "do", "take", "have", "make", "complete", "finish", "log", "enjoy"])
    /// What takes people to places.
    static let vehicles = stems(["train", "bus", "plane", "ferry", "car", "coach", "tram", "boat"])
    /// Nouns for what is watched.
    static let films = stems(["film", "movie", "documentary", "series"])
    /// Nouns for what is read.
    static let books = stems(["book", "novel"])
    /// Nouns for other things that are read.
    static let otherReading = stems([
        "article", "letter", "news", "newspaper", "mail", "message", "paper", "report", "blog", "post",
    ])

    /// Words between subject and verb that say that it did not happen, or not yet.
    static let unreal: Set<String> = [
        "never", "not", "didn't", "don't", "haven't", "hadn't", "wasn't", "almost", "nearly", "will", "would",
        "could", "should", "might", "may", "can", "can't", "couldn't", "must", "won't", "i'll", "we'll", "i'd", "we'd",
        "want", "wanted", "plan", "planned", "planning", "hope", "hoped", "wish", "wished", "need", "needed",
        "decided", "decide", "refused", "forgot", "going", "tried", "meant", "dreamt", "dreamed", "considered",
        "promised",
    ]
    /// Words between subject and verb that say that it went on, or still does.
    static let unfinished: Set<String> = [
        "started", "start", "began", "begin", "stopped", "quit", "used", "keep", "kept", "usually", "often", "always",
        "am", "are", "i'm", "we're", "was", "were", "sometimes", "is", "continued",
    ]
    /// Words between subject and verb that change nothing.
    static let adverbs: Set<String> = [
        "just", "also", "finally", "already", "only", "really", "then", "even", "both", "recently", "today",
        "yesterday",
        "once", "actually", "now", "first", "last", "ever", "all", "quickly", "i've", "we've",
    ]

    /// Stems of words.
    static func stems(_ words: [String]) -> Set<String> { Set(words.map(AskWord.stem)) }

    private static func byStem(_ groups: [String: [String]]) -> [String: String] {
        var found: [String: String] = [:]
        for (action, words) in groups {
            for word in words { found[AskWord.stem(word)] = action }
        }
        return found
    }
}
