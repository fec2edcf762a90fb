/// Words by which somebody tells that something is not as it was, and words that say of whom;
/// lower-cased, without apostrophes, as `TextAnalyzer.words(_:)` of MnemeIndex gives them.
enum ChangeWords {
    /// Something ended, or became another.
    static let changes: Set<String> = [
        "longer", "anymore", "moved", "moving", "switched", "switching", "changed", "sold", "quit",
        "stopped", "left",
        "replaced", "migrated", "cancelled", "canceled", "instead", "ended", "dropped", "ditched",
        "upgraded",
        "downgraded",
        "renamed", "postponed", "rescheduled", "extended", "shortened", "increased", "decreased",
        "reduced", "raised",
        "lowered", "became", "divorced", "died", "closed", "swapped", "traded", "retired",
        "resigned", "abandoned",
        "discontinued", "deprecated", "converted", "transferred", "relocated", "updated",
        "corrected", "correction",
        "outgrew", "unsubscribed", "finished", "lost",
    ]
    /// Pairs of words that tell of a change together and of nothing alone: "gave up", "used to".
    static let changePairs: Set<String> = [
        "turned out", "turns out", "gave up", "given up", "broke up", "split up", "called off",
        "not any", "any more",
        "got rid", "went back", "gone back", "used to", "brought forward", "put off", "pushed back",
    ]
    /// Something is so now.
    static let nows: Set<String> = ["now", "nowadays", "currently", "actually"]
    /// Pairs of words that say that something is so now.
    static let nowPairs: Set<String> = ["my new", "our new", "these days"]
    /// Negations; contractions have lost their apostrophe.
    static let denials: Set<String> = [
        "not", "never", "dont", "doesnt", "isnt", "arent", "cant", "cannot", "wont", "havent",
        "hasnt", "no",
    ]
    /// Words of time and change that are neither topic nor sign of a change by themselves.
    private static let others: Set<String> = [
        "new", "old", "no", "just", "recently", "back", "still", "since", "again",
    ]
    /// All that tells of change rather than of a topic.
    static let all = changes.union(nows).union(denials).union(others)

    /// Words before what a sentence is about.
    static let fillers: Set<String> = [
        "actually", "also", "now", "so", "well", "correction", "update", "fyi", "today", "recently",
        "finally", "sadly",
        "unfortunately", "ok", "okay", "yes", "no", "hi", "hey", "btw", "it", "turns", "turned",
        "out", "that", "since",
        "as",
        "from", "this", "last", "week", "month", "year", "yesterday", "and", "but",
    ]
    /// Subjects that are the speaker, or the speaker's own people.
    static let ownSubjects: Set<String> = [
        "i", "im", "ive", "id", "ill", "we", "weve", "were", "us", "me", "mine", "ours",
    ]
    /// Pronouns of somebody else; whom they refer to is not resolved.
    static let pronouns: Set<String> = [
        "he", "she", "they", "hes", "shes", "theyre", "his", "her", "their",
    ]
    /// Nouns of kinship and acquaintance: "my boss" is somebody else, "my car" a thing.
    static let people: Set<String> = [
        "brother", "sister", "mother", "father", "mom", "mum", "dad", "wife", "husband", "partner",
        "girlfriend",
        "boyfriend",
        "son", "daughter", "friend", "boss", "manager", "colleague", "neighbour", "neighbor",
        "uncle", "aunt", "cousin",
        "grandma", "grandpa", "grandmother", "grandfather", "roommate", "flatmate", "kid", "kids",
        "child", "children",
        "parents", "niece", "nephew", "fiance", "fiancee", "ex", "coworker", "landlord", "doctor",
        "teacher", "team",
    ]
    /// Words that often stand behind the name of somebody.
    static let verbsOfNames: Set<String> = [
        "is", "was", "has", "had", "lives", "lived", "works", "worked", "likes", "liked", "loves",
        "loved", "hates",
        "hated",
        "drives", "drove", "moved", "left", "quit", "sold", "bought", "joined", "uses", "used",
        "prefers", "switched",
        "stopped", "started", "got", "wants", "said", "plays", "played", "eats", "drinks", "owns",
        "studies", "studied",
        "teaches", "no", "now", "doesnt", "isnt", "and", "became", "gave", "takes", "took", "goes",
        "went", "runs",
        "ran",
        "keeps", "kept", "speaks", "wears", "pays", "reads", "writes", "changed", "replaced",
        "cancelled", "traded",
    ]
    /// Verbs of which one can have many objects.
    static let lists: Set<String> = [
        "like", "likes", "love", "loves", "enjoy", "enjoys", "hate", "hates", "dislike", "dislikes",
        "have", "has",
        "own",
        "owns", "know", "knows", "speak", "speaks", "play", "plays", "want", "wants", "need",
        "needs", "saw", "met",
        "visited",
        "bought", "read", "watched", "made", "ate", "went", "adore", "adores", "collect",
        "collects",
    ]

    /// True if a word is rather a value than a topic: a number, a day, a time.
    static func isValue(_ word: String) -> Bool {
        word.unicodeScalars.first?.isDigit ?? false || TimeWords.weekdays[word] != nil
            || UTCCalendar.monthNames.contains(word)
            || TimeWords.numbers[word] != nil
            || ["today", "tomorrow", "yesterday", "noon", "am", "pm"].contains(word)
    }
}
